// The conditions of a filter as rows: a field, a test and its values. What the rows say is written as the filter's text.

import { type TemplateResult, html, nothing } from "lit";
import { type Choice, type TestName, choicesOf, filterOf, hasValues, testsFor } from "../conditions";
import { type Tag, example } from "../dictionary";
import { read, repeats, written } from "../json";
import { View } from "../ui";

/** What the rows mean: the filter's text, and what is missing in a row that is not part of it yet. */
export interface ConditionsChange {
  where: string;
  unfinished: string;
}

export class Conditions extends View {
  static override properties = { where: {}, tags: { attribute: false }, rows: { state: true } };
  where = "";
  tags: Tag[] = [];
  /** `null` where the filter can only be edited as JSON. */
  private rows: Choice[] | null = [];
  /** The text that the rows were read from or written as. */
  private known: string | null = null;

  protected override willUpdate(changed: Map<string, unknown>): void {
    // With other types of fields the same text may need other quotes in the rows.
    const isRetyped = changed.has("tags") && "where" in filterOf(this.rows ?? [], (changed.get("tags") as Tag[] | undefined) ?? []);
    if (this.where === this.known && !isRetyped) return;
    this.known = this.where;
    this.rows = this.ofText();
  }

  private ofText(): Choice[] | null {
    if (!this.where.trim()) return [];
    try {
      return repeats(this.where) ? null : choicesOf(read(this.where), this.tags);
    } catch {
      return null;
    }
  }

  private change(rows: Choice[]): void {
    this.rows = rows;
    const made = filterOf(rows, this.tags);
    const isMade = "where" in made;
    if (isMade) this.where = this.known = rows.length ? written(made.where) : "";
    const detail: ConditionsChange = { where: this.where, unfinished: isMade ? "" : made.mistake };
    this.dispatchEvent(new CustomEvent("ph-conditions", { detail }));
  }

  private async addRow(rows: Choice[]): Promise<void> {
    this.change([...rows, { path: "", test: "is", values: "" }]);
    await this.updateComplete;
    this.querySelector<HTMLElement>(".condition:last-of-type input")?.focus();
  }

  private async removeRow(rows: Choice[], at: number): Promise<void> {
    this.change(rows.filter((_, i) => i !== at));
    await this.updateComplete;
    this.querySelector<HTMLElement>("button.add")?.focus();
  }

  protected override render(): TemplateResult {
    const { rows } = this;
    if (!rows) return html`<p class="hint">This filter says more than a list of conditions can. It is edited as JSON.</p>`;
    const made = filterOf(rows, this.tags);
    return html`<datalist id="filter-fields">${this.tags.map((tag) => html`<option value=${tag.path}>${tag.description}</option>`)}</datalist>
      ${rows.map((row, at) => this.row(rows, row, at, "at" in made && made.at === at ? made.mistake : ""))}
      <button type="button" class="plain add" @click=${() => void this.addRow(rows)}>Add a condition</button>
      ${rows.length > 1 ? html`<span class="hint">All of them must hold.</span>` : nothing}`;
  }

  private row(rows: Choice[], row: Choice, at: number, mistake: string): TemplateResult {
    const set = (change: Partial<Choice>) => this.change(rows.map((own, i) => (i === at ? { ...own, ...change } : own)));
    const text = (event: Event) => (event.target as HTMLInputElement).value;
    const tag = this.tags.find((own) => own.path === row.path);
    const number = at + 1;
    return html`<div class="condition">
      <input list="filter-fields" aria-label="Field of condition ${number}" placeholder="guest.country" spellcheck="false" autocomplete="off" .value=${row.path} @input=${(e: Event) => set({ path: text(e).trim() })} />
      <select aria-label="Test of condition ${number}" @change=${(e: Event) => set({ test: text(e) as TestName })}>
        ${testsFor(row, this.tags).map(([name, label]) => html`<option value=${name} .selected=${name === row.test}>${label}</option>`)}
      </select>
      ${hasValues(row.test)
        ? html`<input aria-label="Values of condition ${number}" placeholder=${tag ? example(tag) : "PT, ES"} spellcheck="false" autocomplete="off" .value=${row.values} @input=${(e: Event) => set({ values: text(e) })} />`
        : html`<span></span>`}
      <button type="button" class="plain" aria-label="Remove condition ${number}" @click=${() => void this.removeRow(rows, at)}>Remove</button>
      ${mistake ? html`<span class="error-text small wide" role="status">${mistake}</span>` : nothing}
    </div>`;
  }
}

customElements.define("ph-conditions", Conditions);
