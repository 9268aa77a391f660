// The view of one template: dictionary, editor and preview side by side.

import { type TemplateResult, html, nothing } from "lit";
import { type Diagnostic, Problem, type Request, at, call, list } from "../api";
import { type Helper, type Tag, typeFor } from "../dictionary";
import { Edited } from "../document";
import type { CodeEditor, Language } from "../editor/code-editor";
import { placed } from "../findings";
import { write } from "../json";
import "../parts/dictionary";
import { erase } from "../parts/erase";
import { type Preset, presets, wanted } from "../parts/presets";
import { Sample } from "../parts/sample";
import { head } from "../parts/template-head";
import { findings, preview } from "../parts/template-preview";
import { trouble } from "../parts/trouble";
import { type Insertion, helperInsertion, insertion } from "../place";
import { route } from "../route";
import { session } from "../session";
import { View, ask, debounced, explain, notify, slug } from "../ui";
import type { TemplateDoc, TriggerDoc } from "./list";

/** The pause after the last key press. A key press during a check discards its result. */
const CHECKED_AFTER_MS = 30;
const DRAFT_KEPT_AFTER_MS = 400;

interface CheckResult {
  ok: boolean;
  diagnostics: Diagnostic[];
  preview?: { content_type: string; body: string };
}

export class TemplateView extends View {
  static override properties = { place: { attribute: false }, tick: { state: true } };
  place: { id: string } = { id: "" };
  private tick = 0;
  private edited!: Edited<TemplateDoc>;
  private sample!: Sample;
  private doc: TemplateDoc = { id: "", format: "json", body: "" };
  private stage: "loading" | "start" | "edit" | "gone" = "loading";
  private error = "";
  private idTouched = false;
  private checked: CheckResult | null = null;
  private checkError = "";
  /** The text that was checked. */
  private checkedText = "";
  private shown: { content_type: string; body: string } | null = null;
  /** Where a new template began. */
  private preset: Preset | null = null;
  private users: TriggerDoc[] | null = null;
  private saving = false;
  private restored = false;
  private storageFull = false;
  private checking: AbortController | null = null;
  private running: Promise<void> = Promise.resolve();
  private readonly check = debounced(CHECKED_AFTER_MS, () => void this.runCheck());
  private readonly keepDraft = debounced(DRAFT_KEPT_AFTER_MS, () => this.keep());
  private readonly leaving = (event: BeforeUnloadEvent) => {
    this.keep();
    if (this.isDirty) event.preventDefault();
  };

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("beforeunload", this.leaving);
    route.protect(() => this.mayLeave());
    const plain = ({ id, name, format, body, content_type }: TemplateDoc): TemplateDoc => ({
      id,
      ...(name ? { name } : {}),
      format,
      body,
      ...(content_type ? { content_type } : {}),
    });
    this.edited = new Edited<TemplateDoc>("template", session.account, this.place.id, plain);
    this.sample = new Sample(session.account, () => {
      this.check();
      this.refresh();
    });
    void this.open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    // Also when the session ends while someone edits.
    this.keep();
    removeEventListener("beforeunload", this.leaving);
    this.checking?.abort();
  }

  private refresh(): void {
    this.tick++;
  }

  private get isDirty(): boolean {
    return this.stage === "edit" && !this.edited.isSaved(this.doc) && Boolean(this.edited.saved || this.doc.body || this.doc.name);
  }

  private mayLeave(): Promise<boolean> | null {
    if (!this.isDirty) return null;
    this.keep();
    const text = this.storageFull
      ? "This browser has no room for a draft, so what you wrote would be lost."
      : "What you wrote is not saved. It is kept as a draft in this browser and will be here when you come back.";
    return ask({ title: "Leave this template?", text, yes: "Leave", no: "Stay" });
  }

  private async open(): Promise<void> {
    try {
      const [saved] = await Promise.all([this.edited.read(), this.sample.open(this.place.id, "")]);
      const draft = this.edited.restored();
      if (draft) {
        this.doc = draft;
        this.restored = true;
      } else if (saved) {
        this.doc = { ...saved };
      }
      this.idTouched = Boolean(this.place.id);
      this.stage = saved || draft ? "edit" : "start";
      if (this.stage === "edit") this.begin();
    } catch (error) {
      this.stage = "gone";
      this.error = error instanceof Problem && error.status === 404 ? "There is no template with this id here." : explain(error);
    }
    this.refresh();
  }

  private begin(): void {
    this.check();
    void this.findUsers();
  }

  private start(preset: Preset): void {
    const { format, body, content_type } = preset;
    this.preset = preset;
    this.doc = { ...this.doc, name: preset.title, id: slug(preset.title, "template"), format, body, ...(content_type ? { content_type } : {}) };
    this.stage = "edit";
    this.begin();
    if (preset.event) void this.sample.choose({ event: typeFor(preset.event, this.sample.known) });
    this.refresh();
    void this.updateComplete.then(() => this.querySelector<HTMLElement>("#name")?.focus());
  }

  private async findUsers(): Promise<void> {
    if (!this.place.id) return;
    try {
      const { items } = await list<TriggerDoc>(`${at(session.account, "triggers")}?template=${encodeURIComponent(this.place.id)}`);
      this.users = items.filter((trigger) => trigger.template === this.place.id);
      // The first time, use a sample of the event that the template is sent for.
      const first = this.users[0];
      if (first && !this.sample.isKept) await this.sample.choose({ event: typeFor(first.event, this.sample.known) });
    } catch {
      this.users = null;
    }
    this.refresh();
  }

  private get checkRequest(): Request {
    const { format, body, content_type } = this.doc;
    const request = { format, body, ...(content_type ? { content_type } : {}), event: this.sample.choice.event || "*", ...this.sample.sent };
    return { method: "POST", path: at(session.account, "templates", "check"), body: request };
  }

  /** Checks the current text. If a check of a newer text starts meanwhile, waits for that one. */
  private runCheck(): Promise<void> {
    this.checking?.abort();
    this.checking = new AbortController();
    return (this.running = this.checkWith(this.checking));
  }

  private async checkWith(own: AbortController): Promise<void> {
    const request = this.checkRequest;
    const text = write(request.body);
    try {
      const { body } = await call<CheckResult>(request, own.signal);
      this.checked = body;
      this.checkError = "";
      this.checkedText = text;
      if (body.preview) this.shown = body.preview;
      this.editor?.mark(body.diagnostics.map((diagnostic) => placed(this.doc.body, diagnostic)));
    } catch (error) {
      if (own.signal.aborted) return own === this.checking ? undefined : this.running;
      this.checked = null;
      this.checkError = explain(error);
    }
    this.refresh();
    await this.updateComplete;
    performance.mark("posthaste:preview");
  }

  private get editor(): CodeEditor | null {
    return this.querySelector<CodeEditor>("ph-editor.body");
  }

  private change(change: Partial<TemplateDoc>): void {
    performance.mark("posthaste:key");
    this.doc = { ...this.doc, ...change };
    if (!this.doc.content_type) delete this.doc.content_type;
    if (change.name !== undefined && !this.idTouched) this.doc.id = slug(change.name, "template");
    this.check();
    this.keepDraft();
    this.refresh();
  }

  private keep(): void {
    if (this.stage !== "edit") return;
    if (!this.isDirty) this.edited.forget();
    const kept = !this.isDirty || this.edited.keep(this.doc);
    if (this.storageFull === kept) {
      this.storageFull = !kept;
      this.refresh();
    }
  }

  private insert(made: (text: string, cursor: number) => Insertion): void {
    const editor = this.editor;
    if (!editor) return;
    const { text, back } = made(editor.value, editor.cursor);
    editor.insert(text, back);
  }

  private get isRefused(): boolean {
    return !this.checked?.ok || this.checkedText !== write(this.checkRequest.body);
  }

  private async save(over?: string | null): Promise<void> {
    if (this.saving) return;
    await this.runCheck();
    if (!this.doc.id) return this.doc.name ? this.refuse("Give the template an id.", "#doc-id") : this.refuse("Give the template a name first.", "#name");
    if (!this.checked?.ok) return this.refuse("The template has mistakes, so it can't be saved yet. The list below names each.");
    this.saving = true;
    this.refresh();
    try {
      const isSaved = await this.edited.save(this.doc, over === undefined ? this.edited.etag : over);
      if (isSaved) this.wasSaved();
      this.keep();
      if (!isSaved) await this.showTrouble();
    } catch (error) {
      notify(explain(error), "bad");
    }
    this.saving = false;
    this.refresh();
  }

  private async showTrouble(): Promise<void> {
    this.refresh();
    await this.updateComplete;
    (this.querySelector<HTMLElement>("#conflict-title") ?? this.querySelector<HTMLElement>("#doc-id"))?.focus();
  }

  private refuse(text: string, field?: string): void {
    notify(text, "bad");
    if (field) this.querySelector<HTMLElement>(field)?.focus();
  }

  private wasSaved(): void {
    const { id } = this.edited;
    this.doc = { ...this.doc, id };
    this.restored = false;
    this.idTouched = true;
    if (this.place.id !== id) {
      this.place = { id };
      this.sample.rename(id);
      route.replace({ account: session.account, page: "template", id });
      void this.findUsers();
    }
    notify("Template saved");
  }

  private erase(): Promise<void> {
    return erase(this.edited, "It can't be restored.", () => (this.stage = "gone"));
  }

  private discard(): void {
    const saved = this.edited.saved;
    this.edited.forget();
    this.restored = false;
    if (this.edited.trouble?.kind === "deleted") {
      this.stage = "gone";
      return route.go({ account: session.account, page: "templates" });
    }
    if (!saved) {
      this.stage = "start";
      this.doc = { id: "", format: "json", body: "" };
      return this.refresh();
    }
    void this.reread();
  }

  private async reread(): Promise<void> {
    try {
      this.doc = { ...(await this.edited.read())! };
    } catch (error) {
      notify(explain(error), "bad");
    }
    this.check();
    this.refresh();
  }

  protected override render(): TemplateResult {
    const back = html`<a class="back" href=${route.href({ account: session.account, page: "templates" })}>Templates</a>`;
    if (this.stage === "loading") return html`${back}<p class="hint" aria-live="polite">Loading …</p>`;
    if (this.stage === "gone") return html`${back}<h1 tabindex="-1">Template</h1><p class="error-text" role="alert">${this.error}</p>`;
    if (this.stage === "start") {
      return html`${back}<h1 tabindex="-1">New template</h1>${presets((preset) => this.start(preset), () => this.refresh(), this.sample)}`;
    }
    const text = (doc: TemplateDoc) => [doc.name ?? "", doc.format, doc.content_type ?? "", doc.body].join("\n").replace(/^\n+/, "");
    return html`${back} ${this.renderHead()}
      ${trouble<TemplateDoc>({
        edited: this.edited,
        document: this.doc,
        restored: this.restored ? "Your unsaved draft was restored." : "",
        text,
        save: (over) => void this.save(over),
        use: (theirs) => {
          this.doc = { ...theirs };
          this.restored = false;
          this.check();
          this.refresh();
        },
        rename: (id) => this.change({ id }),
        discard: () => this.discard(),
        changed: () => this.refresh(),
      })}
      ${this.preset ? wanted(this.preset) : nothing}
      ${this.storageFull ? html`<p class="note warn" role="status">This browser has no room for a draft: save before you leave.</p>` : nothing}
      <div class="write">
        <section class="preview-side" aria-label="Preview">${this.sample.render()} ${preview(this.shown, Boolean(this.checkError) || !this.checked?.preview, this.checkRequest)}</section>
        <section class="editor-side" aria-label="Template">
          <ph-editor
            class="body"
            .template=${true}
            .label=${"Template body"}
            .lang=${this.doc.format as Language}
            .tags=${this.sample.tags}
            .helpers=${this.sample.known.helpers}
            .value=${this.doc.body}
            @input=${(e: Event) => this.change({ body: (e.currentTarget as CodeEditor).value })}
          ></ph-editor>
          <p class="hint keys">
            <kbd>{{</kbd> or <kbd>*|</kbd> suggests tags and helpers · <kbd>F8</kbd> next mistake · <kbd>Ctrl</kbd> <kbd>S</kbd> saves ·
            <kbd>Tab</kbd> leaves the editor
          </p>
          ${findings(this.checkError, this.checked?.diagnostics ?? [], this.doc.body, () => this.editor)}
        </section>
        <section class="dictionary-side" aria-label="Dictionary">
          <details ?open=${matchMedia("(min-width: 75rem)").matches}>
            <summary><h2>Dictionary</h2></summary>
            <ph-dictionary
              .tags=${this.sample.tags}
              .helpers=${this.sample.known.helpers}
              .event=${this.sample.choice.event}
              @insert-tag=${(e: CustomEvent<Tag>) => this.insert((text, cursor) => insertion(text, cursor, this.doc.format, e.detail))}
              @insert-helper=${(e: CustomEvent<Helper>) => this.insert((text, cursor) => helperInsertion(text, cursor, e.detail))}
            ></ph-dictionary>
          </details>
        </section>
      </div>`;
  }

  private renderHead(): TemplateResult {
    const { doc, edited, users, saving } = this;
    const change = (own: Partial<TemplateDoc>) => {
      if (own.id !== undefined) this.idTouched = true;
      this.change(own);
    };
    const isRefused = saving || this.isRefused;
    return head({ doc, edited, users, event: this.sample.choice.event, preset: this.preset?.name ?? "", isSaving: saving, isRefused, change, save: () => void this.save(), erase: () => void this.erase() });
  }

  /** Saves on Ctrl+S. */
  shortcut(event: KeyboardEvent): void {
    if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void this.save();
  }
}

customElements.define("ph-template", TemplateView);
