// The lists of an account's templates and triggers.

import { type TemplateResult, html, nothing } from "lit";
import { at, list } from "../api";
import { drafts } from "../memory";
import { route } from "../route";
import { session } from "../session";
import { View, explain, plural } from "../ui";

export interface TemplateDoc {
  id: string;
  name?: string;
  format: "json" | "xml" | "form" | "text";
  body: string;
  content_type?: string;
}

export interface TriggerDoc {
  id: string;
  name?: string;
  event: string;
  where?: unknown;
  template: string;
  url: string;
  headers?: Record<string, string | null>;
  secrets?: { id?: string; key?: string; until?: string }[];
  rate_per_s?: number;
  enabled?: boolean;
}

abstract class Listing<T extends { id: string; name?: string }> extends View {
  static override properties = { items: { state: true }, error: { state: true }, search: { state: true } };
  protected items: T[] | null = null;
  protected error = "";
  protected search = "";
  protected more = false;
  protected unreadable: string[] = [];
  protected abstract readonly kind: "template" | "trigger";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  protected async load(): Promise<void> {
    try {
      const found = await list<T>(at(session.account, `${this.kind}s`));
      this.more = found.more;
      this.unreadable = found.unreadable;
      this.items = found.items;
    } catch (error) {
      this.error = explain(error);
    }
  }

  protected open(id: string): string {
    return route.href({ account: session.account, page: this.kind, id });
  }

  /** Drafts of documents that are not on the node: new ones, and those that someone else deleted. */
  private drafts(items: T[]): TemplateResult | typeof nothing {
    const ids = drafts.ids(this.kind, session.account).filter((id) => !items.some((item) => item.id === id));
    if (!ids.length) return nothing;
    return html`<p class="note">
      Not saved, kept as a draft in this browser:
      ${ids.map((id, i) => html`${i ? ", " : ""}<a href=${this.open(id)}>${id || `a new ${this.kind}`}</a>`)}
    </p>`;
  }

  protected abstract text(item: T): string;
  protected abstract row(item: T): unknown;
  protected abstract empty(): unknown;

  protected override render() {
    const words = this.search.toLowerCase().split(/\s+/).filter(Boolean);
    const items = this.items?.filter((item) => words.every((word) => this.text(item).toLowerCase().includes(word)));
    const title = this.kind === "template" ? "Templates" : "Triggers";
    return html`<div class="head">
        <h1 tabindex="-1">${title}</h1>
        <span class="grow"></span>
        ${this.items && this.items.length > 6
          ? html`<label class="search"
              ><span class="hidden">Search ${title.toLowerCase()}</span
              ><input
                type="search"
                placeholder="Search"
                .value=${this.search}
                @input=${(e: Event) => (this.search = (e.target as HTMLInputElement).value)}
            /></label>`
          : nothing}
        <a class="button primary" href=${this.open("")}>New ${this.kind}</a>
      </div>
      ${this.error ? html`<p class="error-text" role="alert">${this.error}</p>` : nothing}
      ${!this.items && !this.error ? html`<p class="hint" aria-live="polite">Loading …</p>` : nothing}
      ${items?.length ? html`<ul class="cards">${items.map((item) => html`<li>${this.row(item)}</li>`)}</ul>` : nothing}
      ${this.items && this.unreadable.length
        ? html`<p class="error-text">${plural(this.unreadable.length, this.kind)} can't be read: ${this.unreadable.join(", ")}</p>`
        : nothing}
      ${this.items ? this.drafts(this.items) : nothing} ${this.items?.length === 0 ? this.empty() : nothing}
      ${this.items?.length && items?.length === 0 ? html`<p class="hint">No ${this.kind} matches the search.</p>` : nothing}
      ${this.more ? html`<p class="hint">There are more than ${plural(this.items?.length ?? 0, this.kind)}; search by id with the interface.</p>` : nothing}`;
  }
}

export class Templates extends Listing<TemplateDoc> {
  protected readonly kind = "template";

  protected text(item: TemplateDoc): string {
    return `${item.id} ${item.name ?? ""} ${item.format}`;
  }

  protected row(item: TemplateDoc) {
    const first = item.body.replace(/\s+/g, " ").slice(0, 160);
    return html`<a class="card" href=${this.open(item.id)}>
      <span class="title">${item.name || item.id}</span>
      <span class="badge">${item.format}</span>
      <code class="sub">${first}</code>
    </a>`;
  }

  protected empty() {
    return html`<div class="empty">
      <p><strong>No templates yet.</strong></p>
      <p>A template says what a receiver gets. Start from one that works for your receiver and change it with a preview beside it.</p>
      <a class="button primary" href=${this.open("")}>Write the first template</a>
    </div>`;
  }
}

export class Triggers extends Listing<TriggerDoc> {
  protected readonly kind = "trigger";

  protected text(item: TriggerDoc): string {
    return `${item.id} ${item.name ?? ""} ${item.event} ${item.template} ${item.url}`;
  }

  protected row(item: TriggerDoc) {
    const off = item.enabled === false;
    return html`<a class="card ${off ? "off" : ""}" href=${this.open(item.id)}>
      <span class="title">${item.name || item.id}</span>
      ${off ? html`<span class="badge warn">disabled</span>` : nothing}
      <span class="badge">${item.event}</span>
      ${item.where ? html`<span class="badge">filter</span>` : nothing}
      <code class="sub">${item.url}</code>
    </a>`;
  }

  protected empty() {
    return html`<div class="empty">
      <p><strong>No triggers yet.</strong></p>
      <p>A trigger says: when this event comes, render that template and send it there.</p>
      <a class="button primary" href=${this.open("")}>Make the first trigger</a>
    </div>`;
  }
}

customElements.define("ph-templates", Templates);
customElements.define("ph-triggers", Triggers);
