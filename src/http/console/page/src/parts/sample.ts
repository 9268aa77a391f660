// The sample for a template or trigger: an event type, and the source of its data.

import { type TemplateResult, html, nothing } from "lit";
import { type Data, type Dictionary, type Tag, detail, dictionary, listens, typeFor } from "../dictionary";
import "../editor/code-editor";
import type { CodeEditor } from "../editor/code-editor";
import { Verbatim, isNested, read, written } from "../json";
import { type SampleChoice, samples } from "../memory";
import { KINDS, edgeCases } from "../samples";

export class Sample {
  choice: SampleChoice = { event: "", kind: "dictionary", pasted: "" };
  known: Dictionary = { events: [], entities: [], helpers: [] };
  tags: Tag[] = [];
  data: Data | null = null;
  /** Why there is no data. */
  error = "";
  /** Whether it was chosen in this browser before. */
  isKept = false;
  /** The data as a request sends it: pasted data as it was written. */
  sent: { data?: unknown } = {};
  private id = "";

  constructor(
    private readonly account: string,
    private readonly changed: () => void,
  ) {}

  /** Starts with the last choice, or with an event type that the pattern matches. */
  async open(id: string, pattern: string): Promise<void> {
    this.id = id;
    this.known = await dictionary();
    const kept = samples.read(this.account, id);
    this.isKept = kept !== null;
    this.choice = kept ?? { event: typeFor(pattern || "*", this.known), kind: "dictionary", pasted: "" };
    await this.resolve();
  }

  /** Saves the choice under the id that a new document has got. */
  rename(id: string): void {
    this.id = id;
    samples.keep(this.account, id, this.choice);
  }

  async choose(change: Partial<SampleChoice>): Promise<void> {
    this.choice = { ...this.choice, ...change };
    if (this.choice.kind === "pasted" && !this.choice.pasted) {
      this.choice.pasted = written(this.data ?? {});
    }
    if (this.id) samples.keep(this.account, this.id, this.choice);
    await this.resolve();
  }

  /** Takes a type that the pattern matches, unless it does match the chosen one, or no type of the dictionary. */
  async follow(pattern: string): Promise<void> {
    const type = typeFor(pattern, this.known);
    const isKnown = this.known.events.some((own) => own.type === type);
    if (isKnown && !listens(pattern, this.choice.event)) await this.choose({ event: type });
  }

  private async resolve(): Promise<void> {
    const { event, kind, pasted } = this.choice;
    const found = await detail(event);
    if (this.choice.event !== event) return;
    this.tags = found?.tags ?? this.known.entities.flatMap((entity) => entity.tags);
    this.error = "";
    if (kind === "pasted") {
      this.data = this.read(pasted);
      this.sent = this.data ? { data: new Verbatim(pasted) } : {};
    } else {
      const sample = found?.sample ?? {};
      this.data = kind === "dictionary" ? sample : edgeCases(sample, kind);
      this.sent = { data: this.data };
    }
    this.changed();
  }

  private read(text: string): Data | null {
    try {
      const value = read(text);
      if (isNested(value) && !Array.isArray(value)) return value as Data;
      this.error = "The data of an event is a JSON object, such as {\"guest\": {\"name\": \"Nora\"}}.";
    } catch (error) {
      this.error = `This is not JSON yet: ${(error as Error).message}`;
    }
    return null;
  }

  render(): TemplateResult {
    const { event, kind, pasted } = this.choice;
    const types = this.known.events.map((own) => own.type);
    return html`<div class="sample">
      <label class="field grow">
        <span>Event type</span>
        <input
          list="event-types"
          .value=${event}
          autocomplete="off"
          spellcheck="false"
          @change=${(e: Event) => this.choose({ event: (e.target as HTMLInputElement).value.trim() })}
        />
        <datalist id="event-types">
          ${this.known.events.map((own) => html`<option value=${own.type}>${own.description}</option>`)}
        </datalist>
      </label>
      <label class="field grow">
        <span>Sample</span>
        <select @change=${(e: Event) => this.choose({ kind: (e.target as HTMLSelectElement).value })}>
          ${KINDS.map(([value, label]) => html`<option value=${value} ?selected=${value === kind}>${label}</option>`)}
        </select>
      </label>
      ${event && types.length && !types.includes(event)
        ? html`<p class="hint wide">The dictionary does not have this type, so its sample is empty. Paste data instead.</p>`
        : nothing}
      ${kind === "pasted"
        ? html`<div class="wide">
            <ph-editor
              class="small"
              .label=${"Data of the event, JSON"}
              .lang=${"json"}
              .value=${pasted}
              @input=${(e: Event) => this.choose({ pasted: (e.currentTarget as CodeEditor).value })}
            ></ph-editor>
            ${this.error ? html`<p class="error-text" role="alert">${this.error}</p>` : nothing}
          </div>`
        : nothing}
    </div>`;
  }
}
