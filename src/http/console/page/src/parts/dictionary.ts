// The dictionary beside the editor, with search. A click or Enter inserts the tag at the cursor.

import { html, nothing } from "lit";
import { type Tag, example } from "../dictionary";
import { View } from "../ui";

export class DictionaryPanel extends View {
  static override properties = { tags: { attribute: false }, event: {}, search: { state: true } };
  tags: Tag[] = [];
  event = "";
  private search = "";

  private insert(tag: Tag): void {
    this.dispatchEvent(new CustomEvent("insert-tag", { detail: tag, bubbles: true }));
  }

  /** The arrow keys move through the list. */
  private walk(event: KeyboardEvent): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step) return;
    const all = [...this.querySelectorAll<HTMLElement>(".tag")];
    const next = all[all.indexOf(document.activeElement as HTMLElement) + step];
    event.preventDefault();
    (next ?? this.querySelector<HTMLElement>("input"))?.focus();
  }

  protected override render() {
    const words = this.search.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (tag: Tag) => `${tag.tag} ${tag.path} ${tag.description}`.toLowerCase();
    const shown = this.tags.filter((tag) => words.every((word) => text(tag).includes(word)));
    let entity = "";
    return html`<div class="dictionary" @keydown=${this.walk}>
      <label class="field">
        <span>Search the dictionary</span>
        <input
          type="search"
          placeholder="guest, arrival, price …"
          .value=${this.search}
          @input=${(e: Event) => (this.search = (e.target as HTMLInputElement).value)}
        />
      </label>
      <p class="hint" aria-live="polite">
        ${shown.length} of ${this.tags.length} tags${this.event ? html` of <code>${this.event}</code>` : nothing}
      </p>
      <ul class="tags" aria-label="Tags">
        ${shown.map((tag) => {
          const own = tag.tag.slice(2, -2).split(":")[0] ?? "";
          const heading = own === entity ? nothing : html`<li class="entity" aria-hidden="true">${own.toLowerCase()}</li>`;
          entity = own;
          return html`${heading}
            <li>
              <button type="button" class="tag" @click=${() => this.insert(tag)}>
                <code>${tag.tag.slice(2, -2)}</code>
                <span>${tag.description}</span>
                <span class="example">${example(tag)}</span>
              </button>
            </li>`;
        })}
      </ul>
      ${shown.length === 0 && this.tags.length > 0
        ? html`<p class="hint">No tag matches the search. A path that is not in the dictionary, such as
            <code>{{order.total}}</code>, can be used too.</p>`
        : nothing}
    </div>`;
  }
}

customElements.define("ph-dictionary", DictionaryPanel);
