// The dictionary and the helpers beside the editor, with search. A click or Enter inserts a tag or a helper at the cursor.

import { html, nothing } from "lit";
import { type Helper, type Tag, example } from "../dictionary";
import { View } from "../ui";

export class DictionaryPanel extends View {
  static override properties = { tags: { attribute: false }, helpers: { attribute: false }, event: {}, search: { state: true } };
  tags: Tag[] = [];
  helpers: Helper[] = [];
  event = "";
  private search = "";

  private insert(kind: "tag" | "helper", detail: Tag | Helper): void {
    this.dispatchEvent(new CustomEvent(`insert-${kind}`, { detail, bubbles: true }));
  }

  /** The arrow keys move through the list. */
  private walk(event: KeyboardEvent): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step) return;
    const all = [...this.querySelectorAll<HTMLElement>(".tag")].filter((own) => own.checkVisibility());
    const next = all[all.indexOf(document.activeElement as HTMLElement) + step];
    event.preventDefault();
    (next ?? this.querySelector<HTMLElement>("input"))?.focus();
  }

  /** What can be done with a value: closed unless someone searches. */
  private helperList(helpers: Helper[], isOpen: boolean) {
    let group = "";
    return html`<details class="helpers" ?open=${isOpen}>
      <summary>Helpers: dates, numbers, text, lists …</summary>
      <ul class="tags" aria-label="Helpers">
        ${helpers.map((helper) => {
          const heading = helper.group === group ? nothing : html`<li class="entity" aria-hidden="true">${helper.group}</li>`;
          group = helper.group;
          return html`${heading}
            <li>
              <button type="button" class="tag" @click=${() => this.insert("helper", helper)}>
                <code>${helper.name}</code>
                <span>${helper.description}</span>
                <span class="example">${helper.example}</span>
              </button>
            </li>`;
        })}
      </ul>
    </details>`;
  }

  protected override render() {
    const words = this.search.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (tag: Tag) => `${tag.tag} ${tag.path} ${tag.description}`.toLowerCase();
    const shown = this.tags.filter((tag) => words.every((word) => text(tag).includes(word)));
    const helpers = this.helpers.filter((own) => words.every((word) => `${own.name} ${own.group} ${own.description}`.toLowerCase().includes(word)));
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
        ${shown.length} of ${this.tags.length} tags${this.event ? html` of <code>${this.event}</code>` : nothing}${words.length ? `, ${helpers.length} of ${this.helpers.length} helpers` : ""}
      </p>
      ${helpers.length ? this.helperList(helpers, words.length > 0) : nothing}
      <ul class="tags" aria-label="Tags">
        ${shown.map((tag) => {
          const own = tag.tag.slice(2, -2).split(":")[0] ?? "";
          const heading = own === entity ? nothing : html`<li class="entity" aria-hidden="true">${own.toLowerCase()}</li>`;
          entity = own;
          return html`${heading}
            <li>
              <button type="button" class="tag" @click=${() => this.insert("tag", tag)}>
                <code>${tag.tag.slice(2, -2)}</code>
                <span>${tag.description}</span>
                <span class="example">${example(tag)}</span>
              </button>
            </li>`;
        })}
      </ul>
      ${shown.length === 0 && helpers.length === 0 && this.tags.length > 0
        ? html`<p class="hint">No tag matches the search. A path that is not in the dictionary, such as
            <code>{{order.total}}</code>, can be used too.</p>`
        : nothing}
    </div>`;
  }
}

customElements.define("ph-dictionary", DictionaryPanel);
