// The live destinations of this node, those in the worst state first.

import { type TemplateResult, html, nothing } from "lit";
import { type Request, call } from "../api";
import { View, bytes, curlButton, explain, plural, span } from "../ui";

const ASKED_EVERY_MS = 2_000;

interface Destination {
  destination: string;
  trouble: "none" | "failing" | "dropping" | "stalled";
  queued: number;
  queued_bytes: number;
  in_flight: number;
  oldest_ms: number | null;
  attempts: Record<string, number>;
  dropped: Record<string, number>;
}

const REQUEST: Request = { method: "GET", path: "/v1/destinations?limit=200" };

const TROUBLE: Record<Destination["trouble"], [string, string, string]> = {
  none: ["good", "fine", "The last attempt was delivered"],
  failing: ["bad", "failing", "The last attempt was not delivered"],
  dropping: ["bad", "dropping", "Deliveries were dropped within the last minute"],
  stalled: ["warn", "stalled", "So slow that its queue no longer paces producers"],
};

export class Destinations extends View {
  static override properties = { tick: { state: true } };
  private tick = 0;
  private items: Destination[] | null = null;
  private total = 0;
  private node = "";
  private error = "";
  private paused = false;
  private timer = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.ask();
    this.timer = window.setInterval(() => !this.paused && !document.hidden && void this.ask(), ASKED_EVERY_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  private async ask(): Promise<void> {
    try {
      const { body } = await call<{ node: string; items: Destination[]; total: number }>(REQUEST);
      [this.items, this.total, this.node, this.error] = [body.items, body.total, body.node, ""];
    } catch (error) {
      this.error = explain(error);
    }
    this.tick++;
  }

  protected override render(): TemplateResult {
    return html`<div class="head">
        <h1 tabindex="-1">Destinations</h1>
        ${this.node ? html`<span class="hint">of ${this.node}</span>` : nothing}
        <span class="grow"></span>
        <button
          type="button"
          class="plain"
          aria-pressed=${this.paused}
          @click=${() => {
            this.paused = !this.paused;
            this.tick++;
          }}
        >
          ${this.paused ? "Go on" : "Pause"}
        </button>
        ${curlButton("List destinations", REQUEST)}
      </div>
      ${this.error ? html`<p class="error-text" role="alert">${this.error}</p>` : nothing}
      ${this.items?.length === 0
        ? html`<div class="empty">
            <p><strong>No destination is live.</strong></p>
            <p>One appears with its first delivery and goes when it has been idle for a while.</p>
          </div>`
        : nothing}
      ${this.items?.length ? this.renderTable(this.items) : nothing}
      ${this.items && this.total > this.items.length ? html`<p class="hint">The ${this.items.length} in the worst state of ${plural(this.total, "destination")}.</p>` : nothing}`;
  }

  private renderTable(items: Destination[]): TemplateResult {
    const counts = (all: Record<string, number>) => Object.entries(all).sort((a, b) => b[1] - a[1]);
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Destinations, those in the worst state first">
      <table class="stacked" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th scope="col" role="columnheader">Destination</th>
            <th scope="col" role="columnheader">State</th>
            ${["Queue", "In flight", "Oldest wait"].map((name) => html`<th scope="col" role="columnheader" class="number">${name}</th>`)}
            <th scope="col" role="columnheader">Ended</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${items.map((item) => {
            const [kind, word, meaning] = TROUBLE[item.trouble];
            return html`<tr role="row">
              <th scope="row" role="rowheader">${item.destination}</th>
              <td role="cell"><span class="badge ${kind}" title=${meaning}>${word}</span></td>
              <td role="cell" class="number" data-label="queue">${item.queued.toLocaleString("en")}${item.queued ? html` <small>${bytes(item.queued_bytes)}</small>` : nothing}</td>
              <td role="cell" class="number" data-label="in flight">${item.in_flight}</td>
              <td role="cell" class="number" data-label="oldest">${item.oldest_ms === null ? "—" : span(item.oldest_ms)}</td>
              <td role="cell" class="counts">
                ${counts(item.dropped).map(([reason, number]) => html`<span class="badge warn">${reason} ${number.toLocaleString("en")}</span>`)}
                ${counts(item.attempts).map(([own, number]) => html`<span class="badge ${own === "delivered" ? "" : "bad"}">${own} ${number.toLocaleString("en")}</span>`)}
              </td>
            </tr>`;
          })}
        </tbody>
      </table>
    </div>`;
  }
}

customElements.define("ph-destinations", Destinations);
