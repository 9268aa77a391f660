// Activity: firings as they finish. The list is bounded, can be paused, and counts what it skips.

import { type TemplateResult, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { Problem, curl, stream } from "../api";
import { route } from "../route";
import { session } from "../session";
import { View, copy, explain, span } from "../ui";

/** The most rows that the page keeps; the oldest are removed. */
const ROWS_MAX = 300;
const RECONNECTED_AFTER_MS = 2_000;

interface Firing {
  node: string;
  time: string;
  account: string;
  event_type: string;
  event_id: string;
  trigger: string;
  destination: string | null;
  outcome: string;
  reason: string | null;
  status: number | null;
  duration_ms: number | null;
}

type Row = { key: number; firing: Firing } | { key: number; skipped: number };

const OUTCOMES: [string, string][] = [
  ["", "All outcomes"],
  ["failed", "All except delivered"],
  ["delivered", "Delivered"],
  ["dropped", "Dropped without an attempt"],
  ["client_error,server_error,redirect", "Refused by the receiver"],
];

export class Activity extends View {
  static override properties = { place: { attribute: false }, tick: { state: true } };
  place: Record<string, string> = {};
  private tick = 0;
  private rows: Row[] = [];
  private next = 0;
  private paused = false;
  /** The rows that arrived during a pause. */
  private waiting: Row[] = [];
  private waitingSkipped = 0;
  private state: "connecting" | "live" | "lost" | "forbidden" = "connecting";
  private error = "";
  private watching: AbortController | null = null;
  private frame = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.watch();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.watching?.abort();
    cancelAnimationFrame(this.frame);
  }

  private get path(): string {
    const query = new URLSearchParams();
    // An operator sees all accounts, so a filter is needed; an account's key sees its own account only.
    if (session.whoami?.scope === "operator" && this.place["of"]) query.set("account", this.place["of"]);
    for (const name of ["trigger", "outcome"]) if (this.place[name]) query.set(name, this.place[name]!);
    return `/v1/activity${query.size ? `?${query}` : ""}`;
  }

  private watch(): void {
    this.watching?.abort();
    const own = (this.watching = new AbortController());
    void this.follow(own.signal);
  }

  private async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.state = "connecting";
        this.tick++;
        await stream(this.path, signal, (event) => this.received(event.event, event.data));
        this.state = "lost";
        this.error = "The stream has ended. It is opened again.";
      } catch (error) {
        if (signal.aborted) return;
        this.error = explain(error);
        const isFinal = error instanceof Problem && [400, 401, 403].includes(error.status);
        this.state = isFinal ? "forbidden" : "lost";
        if (isFinal) return void this.tick++;
      }
      this.tick++;
      await new Promise((resolve) => setTimeout(resolve, RECONNECTED_AFTER_MS));
    }
  }

  private received(event: string, data: string): void {
    if (this.state !== "live") {
      this.state = "live";
      this.error = "";
    }
    if (event === "firing") this.add({ key: this.next++, firing: JSON.parse(data) as Firing });
    if (event === "skipped") this.skip((JSON.parse(data) as { skipped: number }).skipped);
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.tick++);
  }

  private add(row: Row): void {
    const rows = this.paused ? this.waiting : this.rows;
    rows.unshift(row);
    if (rows.length <= ROWS_MAX) return;
    rows.length = ROWS_MAX;
    if (this.paused) this.waitingSkipped++;
  }

  private skip(number: number): void {
    this.add({ key: this.next++, skipped: number });
  }

  private pause(): void {
    this.paused = !this.paused;
    if (!this.paused) {
      if (this.waitingSkipped) this.waiting.push({ key: this.next++, skipped: this.waitingSkipped });
      this.rows = [...this.waiting, ...this.rows].slice(0, ROWS_MAX);
      this.waiting = [];
      this.waitingSkipped = 0;
    }
    this.tick++;
  }

  /** The filters are part of the URL, so that it can be shared. */
  private filter(change: Record<string, string>): void {
    this.place = { ...this.place, ...change };
    route.replace({ ...route.place, ...this.place });
    this.rows = [];
    this.waiting = [];
    this.watch();
    this.tick++;
  }

  protected override render(): TemplateResult {
    const isOperator = session.whoami?.scope === "operator";
    const value = (event: Event) => (event.target as HTMLInputElement).value.trim();
    const known = OUTCOMES.some(([own]) => own === (this.place["outcome"] ?? ""));
    return html`<div class="head">
        <h1 tabindex="-1">Activity</h1>
        <span class="live ${this.state}" role="status">${this.said}</span>
        <span class="grow"></span>
        <button type="button" class="plain" aria-pressed=${this.paused} @click=${this.pause}>
          ${this.paused ? `Go on${this.waiting.length ? ` (${this.waiting.length} new)` : ""}` : "Pause"}
        </button>
        <button type="button" class="curl" title="Copy as curl" aria-label="Copy the stream as curl" @click=${() => copy(curl({ method: "GET", path: this.path }).replace("curl -sS", "curl -sSN"), "curl command")}>curl</button>
      </div>
      <form class="filters" @submit=${(e: Event) => e.preventDefault()}>
        <label class="field">
          <span>Outcome</span>
          <select id="outcome" @change=${(e: Event) => this.filter({ outcome: value(e) })}>
            ${OUTCOMES.map(([own, label]) => html`<option value=${own} ?selected=${own === (this.place["outcome"] ?? "")}>${label}</option>`)}
            ${known ? nothing : html`<option value=${this.place["outcome"]!} selected>${this.place["outcome"]}</option>`}
          </select>
        </label>
        <label class="field">
          <span>Trigger</span>
          <input id="of-trigger" placeholder="every trigger" spellcheck="false" .value=${this.place["trigger"] ?? ""} @change=${(e: Event) => this.filter({ trigger: value(e) })} />
        </label>
        ${isOperator
          ? html`<label class="field">
              <span>Account</span>
              <input id="of-account" placeholder="every account" spellcheck="false" .value=${this.place["of"] ?? ""} @change=${(e: Event) => this.filter({ of: value(e) })} />
            </label>`
          : nothing}
      </form>
      ${this.error ? html`<p class="note" role="alert">${this.error}</p>` : nothing} ${this.renderRows(isOperator)}`;
  }

  private get said(): string {
    if (this.paused) return "paused";
    return { connecting: "connecting …", live: "live", lost: "not connected", forbidden: "not allowed" }[this.state];
  }

  private renderRows(isOperator: boolean): TemplateResult {
    if (!this.rows.length) {
      return html`<div class="empty">
        <p><strong>Nothing has ended since you opened this page.</strong></p>
        <p>A line appears here for every firing of this node as it ends, without anything of its data.</p>
      </div>`;
    }
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Firings, newest first">
      <table class="firings stacked" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th scope="col" role="columnheader">Time</th>
            <th scope="col" role="columnheader">Outcome</th>
            ${isOperator ? html`<th scope="col" role="columnheader">Account</th>` : nothing}
            <th scope="col" role="columnheader">Event</th>
            <th scope="col" role="columnheader">Trigger</th>
            <th scope="col" role="columnheader">Destination</th>
            <th scope="col" role="columnheader" class="number">Took</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${repeat(this.rows, (row) => row.key, (row) => this.renderRow(row, isOperator))}
        </tbody>
      </table>
    </div>`;
  }

  private renderRow(row: Row, isOperator: boolean): TemplateResult {
    if ("skipped" in row) {
      return html`<tr class="skipped" role="row"><td role="cell" colspan=${isOperator ? 7 : 6}>${row.skipped.toLocaleString("en")} ${row.skipped === 1 ? "firing was" : "firings were"} skipped: there were more than the page can show</td></tr>`;
    }
    const { firing } = row;
    const good = firing.outcome === "delivered";
    const time = new Date(firing.time);
    return html`<tr role="row">
      <td role="cell"><time datetime=${firing.time} title=${firing.time}>${time.toLocaleTimeString("en-GB")}<small>.${String(time.getMilliseconds()).padStart(3, "0")}</small></time></td>
      <td role="cell">
        <span class="badge ${good ? "good" : firing.outcome === "dropped" ? "warn" : "bad"}">${firing.reason ?? firing.outcome}</span>
        ${firing.status && !good ? html`<small>${firing.status}</small>` : nothing}
      </td>
      ${isOperator ? html`<td role="cell" class="of">${firing.account}</td>` : nothing}
      <td role="cell" class="event" title=${firing.event_id}>${firing.event_type}</td>
      <td role="cell" class="trigger"><a href=${route.href({ account: firing.account, page: "trigger", id: firing.trigger })}>${firing.trigger}</a></td>
      <td role="cell" class="destination">${firing.destination ?? "—"}</td>
      <td role="cell" class="number took">${firing.duration_ms === null ? "—" : span(firing.duration_ms)}</td>
    </tr>`;
  }
}

customElements.define("ph-activity", Activity);
