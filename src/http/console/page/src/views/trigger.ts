// The view of one trigger: its event, its filter checked against a sample, the request that it makes, and a test that sends a
// sample through the pipeline.

import { type TemplateResult, html, nothing } from "lit";
import { type FieldError, Problem, type Request, at, call, list } from "../api";
import { listens } from "../dictionary";
import { Edited } from "../document";
import type { CodeEditor } from "../editor/code-editor";
import { conditions } from "../filter";
import { inPart } from "../findings";
import { read } from "../json";
import { erase } from "../parts/erase";
import { type Preset, preset } from "../parts/presets";
import { Sample } from "../parts/sample";
import { fields } from "../parts/trigger-fields";
import { type TestResult, type CheckResult, outcome, request } from "../parts/trigger-request";
import { trouble } from "../parts/trouble";
import { type Explained, type ConditionResult, mistakes, sampleResult } from "../parts/trigger-sample";
import { route } from "../route";
import { session } from "../session";
import { type Form, begun, documentOf, formOf, mistakesOf, plain, rebased, shown, whereMistake } from "../trigger-form";
import { View, action, ask, debounced, explain, notify, slug } from "../ui";
import type { TemplateDoc, TriggerDoc } from "./list";

const CHECKED_AFTER_MS = 120;
/** The most conditions that are checked one by one. */
const CONDITIONS_MAX = 16;

export class TriggerView extends View {
  static override properties = { place: { attribute: false }, tick: { state: true } };
  place: { id: string; template?: string; event?: string; preset?: string } = { id: "" };
  private tick = 0;
  private edited!: Edited<TriggerDoc>;
  sample!: Sample;
  form: Form = { id: "", name: "", event: "", template: "", url: "", where: "", unfinished: "", headers: [], secrets: [], rate: "", enabled: true };
  templates: TemplateDoc[] = [];
  hasAllTemplates = false;
  /** What the template of a new trigger was made from. */
  preset: Preset | null = null;
  private stage: "loading" | "edit" | "gone" = "loading";
  private error = "";
  private idTouched = false;
  /** Whether someone has tried to save it. */
  private tried = false;
  private restored = false;
  private checked: CheckResult | null = null;
  private checkError = "";
  private explained: Explained | null = null;
  private conditionResults: ConditionResult[] = [];
  private result: TestResult | null = null;
  private testing = false;
  private saving = false;
  private checking: AbortController | null = null;
  private readonly check = debounced(CHECKED_AFTER_MS, () => void this.runCheck());
  private readonly keepDraft = debounced(400, () => this.keep());
  private readonly leaving = (event: BeforeUnloadEvent) => {
    this.keep();
    if (this.isDirty) event.preventDefault();
  };

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("beforeunload", this.leaving);
    route.protect(() => {
      if (!this.isDirty) return null;
      const text = this.keep()
        ? "What you wrote is not saved. It is kept as a draft in this browser, but for the values of headers and secrets."
        : "This browser has no room for a draft, so what you wrote would be lost.";
      return ask({ title: "Leave this trigger?", text, yes: "Leave", no: "Stay" });
    });
    this.edited = new Edited<TriggerDoc>("trigger", session.account, this.place.id, plain);
    this.sample = new Sample(session.account, () => {
      this.check();
      this.tick++;
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

  private get isDirty(): boolean {
    return this.stage === "edit" && !this.edited.isSaved(this.document) && Boolean(this.edited.saved || this.form.url || this.form.where || this.form.name);
  }

  private async open(): Promise<void> {
    try {
      const [saved, templates] = await Promise.all([this.edited.read(), list<TemplateDoc>(at(session.account, "templates"))]);
      this.templates = templates.items;
      this.hasAllTemplates = !templates.more;
      const draft = this.edited.restored();
      if (draft) {
        this.form = formOf(draft);
        this.restored = true;
      } else {
        this.form = saved ? formOf(saved) : begun(this.place, this.templates);
      }
      this.idTouched = Boolean(this.place.id);
      if (this.place.preset) this.preset = await preset(this.place.preset);
      await this.sample.open(`trigger:${this.place.id}`, this.form.event);
      this.stage = "edit";
      this.check();
    } catch (error) {
      this.stage = "gone";
      this.error = error instanceof Problem && error.status === 404 ? "There is no trigger with this id here." : explain(error);
    }
    this.tick++;
  }

  change(change: Partial<Form>): void {
    this.form = { ...this.form, ...change };
    if (change.name !== undefined && !this.idTouched) this.form.id = slug(change.name, "trigger");
    if (change.id !== undefined) this.idTouched = true;
    if (change.event !== undefined) void this.sample.follow(change.event);
    this.check();
    this.keepDraft();
    this.tick++;
  }

  /** Keeps a draft of what is not saved. False if the browser has no room for it. */
  private keep(): boolean {
    if (this.stage !== "edit") return true;
    if (this.isDirty) return this.edited.keep(this.document);
    this.edited.forget();
    return true;
  }

  private get document(): TriggerDoc {
    return documentOf(this.form);
  }

  private checkRequest(document = this.document): Request {
    const { id, where, ...others } = document;
    // A filter that is not JSON can't be sent.
    const body = { ...(id ? { id } : {}), ...others, ...(whereMistake(this.form.where) ? {} : { where }), ...this.sample.sent };
    return { method: "POST", path: at(session.account, "triggers", "check"), body };
  }

  private get explainRequest(): Request {
    const body = { type: this.sample.choice.event, data: {}, ...this.sample.sent, triggers: [this.edited.id] };
    return { method: "POST", path: at(session.account, "triggers", "explain"), body };
  }

  private get testRequest(): Request {
    return { method: "POST", path: `${this.edited.path()}/test`, body: this.sample.sent };
  }

  private async runCheck(): Promise<void> {
    this.checking?.abort();
    const own = (this.checking = new AbortController());
    const document = this.document;
    try {
      this.checked = (await call<CheckResult>(this.checkRequest(document), own.signal)).body;
      this.checkError = "";
      await this.checkEach(document, own.signal);
      this.explained = await this.explain(own.signal);
    } catch (error) {
      if (own.signal.aborted) return;
      this.checked = null;
      const unknown = error instanceof Problem && error.isUnknownCall;
      this.checkError = unknown ? "The version of this node can't check triggers. Save the trigger and send a test instead." : explain(error);
    }
    this.querySelector<CodeEditor>("ph-editor.where")?.mark(inPart(this.form.where, "/where", this.errors));
    this.tick++;
  }

  /** Checks each condition alone, since the node names only the first one that fails. */
  private async checkEach(document: TriggerDoc, signal: AbortSignal): Promise<void> {
    const all = this.checked?.errors.length ? [] : conditions(whereMistake(this.form.where) || !this.form.where.trim() ? {} : read(this.form.where)).slice(0, CONDITIONS_MAX);
    const results: ConditionResult[] = [];
    for (const condition of all) {
      const { body } = await call<CheckResult>(this.checkRequest({ ...document, where: condition.alone }), signal);
      results.push({ condition, fires: body.fires === true });
    }
    this.conditionResults = results;
  }

  /** What the saved trigger does with the sample. */
  private async explain(signal: AbortSignal): Promise<Explained | null> {
    if (!this.edited.saved || !this.sample.data) return null;
    try {
      const { body } = await call<{ triggers: Explained[] }>(this.explainRequest, signal);
      return body.triggers.find((own) => own.id === this.edited.id) ?? null;
    } catch {
      return null;
    }
  }

  async save(over?: string | null): Promise<void> {
    if (this.saving) return;
    this.tried = true;
    const sent = this.form;
    if (!sent.id) {
      notify(sent.name ? "Give the trigger an id." : "Give the trigger a name first.", "bad");
      return this.querySelector<HTMLElement>(sent.name ? "#doc-id" : "#name")?.focus();
    }
    const [mistake] = mistakesOf(sent);
    if (mistake) return notify(mistake.detail, "bad");
    this.saving = true;
    this.tick++;
    try {
      const isSaved = await this.edited.save(documentOf(sent), over === undefined ? this.edited.etag : over);
      if (isSaved) this.wasSaved(sent);
      this.keep();
      this.check();
      if (!isSaved) await this.showTrouble();
    } catch (error) {
      if (error instanceof Problem && error.errors.length) this.checked = { ...empty, ...this.checked, ok: false, errors: error.errors };
      notify(explain(error), "bad");
    }
    this.saving = false;
    this.tick++;
  }

  /** The node never shows the values of headers and secrets again, so the page drops them too. */
  private wasSaved(sent: Form): void {
    const { id } = this.edited;
    this.form = rebased(this.form, sent, formOf(this.edited.saved!));
    this.restored = false;
    this.idTouched = true;
    if (this.place.id !== id) {
      this.place = { id };
      this.sample.rename(`trigger:${id}`);
      route.replace({ account: session.account, page: "trigger", id });
    }
    notify("Trigger saved");
  }

  private async showTrouble(): Promise<void> {
    this.tick++;
    await this.updateComplete;
    (this.querySelector<HTMLElement>("#conflict-title") ?? this.querySelector<HTMLElement>("#doc-id"))?.focus();
  }

  private async test(): Promise<void> {
    this.testing = true;
    this.result = null;
    this.tick++;
    try {
      this.result = (await call<TestResult>(this.testRequest)).body;
    } catch (error) {
      this.result = { delivered: false, reason: explain(error), duration_ms: null };
    }
    this.testing = false;
    this.tick++;
  }

  private erase(): Promise<void> {
    return erase(this.edited, "It stops firing at once and can't be restored.", () => (this.stage = "gone"));
  }

  async rotate(): Promise<void> {
    const text = "A new secret signs from now on. The others sign too for one more day, so that the receiver has time to take the new one over.";
    if (!(await ask({ title: "Rotate the secret?", text, yes: "Rotate" }))) return;
    try {
      const { body } = await call<{ id: string; key: string }>(this.rotation);
      dispatchEvent(new CustomEvent("ph-secret", { detail: { title: "The new secret", key: body.key } }));
      const before = formOf(this.edited.saved!);
      await this.edited.read();
      this.form = rebased(this.form, before, formOf(this.edited.saved!));
      this.keep();
      this.tick++;
    } catch (error) {
      if (error instanceof Problem && error.status === 412) {
        await this.edited.compare();
        return this.showTrouble();
      }
      const unknown = error instanceof Problem && error.isUnknownCall;
      notify(unknown ? "The version of this node can't rotate secrets." : explain(error), "bad");
    }
  }

  get rotation(): Request {
    return { method: "POST", path: `${this.edited.path()}/secret/rotate`, body: {}, headers: this.edited.etag ? { "if-match": this.edited.etag } : {} };
  }

  get isNew(): boolean {
    return !this.edited.saved;
  }

  /** The mistakes, without those of fields of a new trigger that are still empty. */
  private get errors(): FieldError[] {
    const isEmpty = (pointer: string) => ["event", "template", "url"].some((name) => pointer === `/${name}` && !this.form[name as keyof Form]);
    return [...mistakesOf(this.form), ...(this.checked?.errors ?? []).filter((error) => !this.isNew || this.tried || !isEmpty(error.pointer))];
  }

  errorsAt(pointer: string): FieldError[] {
    return this.errors.filter((error) => error.pointer === pointer || error.pointer.startsWith(`${pointer}/`));
  }

  private async discard(): Promise<void> {
    this.edited.forget();
    this.restored = false;
    if (this.edited.trouble?.kind === "deleted") {
      this.stage = "gone";
      return route.go({ account: session.account, page: "triggers" });
    }
    try {
      const saved = await this.edited.read();
      this.form = saved ? formOf(saved) : begun(this.place, this.templates);
    } catch (error) {
      notify(explain(error), "bad");
    }
    this.check();
    this.tick++;
  }

  protected override render(): TemplateResult {
    const back = html`<a class="back" href=${route.href({ account: session.account, page: "triggers" })}>Triggers</a>`;
    if (this.stage === "loading") return html`${back}<p class="hint" aria-live="polite">Loading …</p>`;
    if (this.stage === "gone") return html`${back}<h1 tabindex="-1">Trigger</h1><p class="error-text" role="alert">${this.error}</p>`;
    return html`${back}
      <div class="head">
        <h1 tabindex="-1">${this.form.name || this.form.id || "New trigger"}</h1>
        <span class="grow"></span>
        <div class="actions">
          ${action({
            label: this.isNew ? "Save" : "Save changes",
            kind: "primary",
            request: this.form.id && !whereMistake(this.form.where) ? this.edited.request(this.document) : null,
            run: () => void this.save(),
            disabled: this.saving || this.errors.length > 0,
          })}
          ${this.isNew ? nothing : action({ label: "Delete", kind: "danger", request: this.edited.removal(), run: () => void this.erase() })}
        </div>
      </div>
      <p class="status-line" role="status">
        ${this.saving ? "Saving …" : this.isNew ? "Not saved yet." : this.edited.isSaved(this.document) ? "Saved. A change takes effect at once, on every node." : "Changed, not saved."}
      </p>
      ${trouble<TriggerDoc>({
        edited: this.edited,
        document: this.document,
        restored: this.restored ? "Your unsaved draft was restored. Values of headers and secrets are not kept in drafts." : "",
        text: shown,
        save: (over) => void this.save(over),
        use: (theirs) => {
          this.form = formOf(theirs);
          this.restored = false;
          this.change({});
        },
        rename: (id) => this.change({ id }),
        discard: () => void this.discard(),
        changed: () => this.tick++,
      })}
      <div class="two wide">
        <section aria-label="Trigger" class="panel">${fields(this)} ${mistakes(this.errors, this.checked?.warnings ?? [])}</section>
        <section aria-label="Test" class="panel">
          <h2>Try it on a sample</h2>
          ${this.sample.render()} ${this.checked || this.checkError ? nothing : html`<p class="hint">Checking …</p>`} ${this.renderSampleResult()} ${this.checked?.preview ? request(this.checked.preview) : nothing}
          ${this.checkError ? html`<p class="note" role="status">${this.checkError}</p>` : nothing} ${this.renderTest()}
        </section>
      </div>`;
  }

  private renderSampleResult(): TemplateResult | typeof nothing {
    if (whereMistake(this.form.where) || this.checked?.fires === undefined || !this.sample.data) return nothing;
    const isSaved = this.edited.isSaved(this.document);
    return sampleResult({
      fires: this.checked.fires,
      listens: listens(this.form.event, this.sample.choice.event),
      explained: isSaved ? this.explained : null,
      conditionResults: this.conditionResults,
      data: this.sample.data,
      request: this.isNew ? null : this.explainRequest,
    });
  }

  private renderTest(): TemplateResult {
    const isSaved = !this.isNew && this.edited.isSaved(this.document);
    return html`<div class="test">
      <div class="row">
        ${action({
          label: this.testing ? "Sending …" : "Send test",
          kind: "primary",
          request: this.isNew ? null : this.testRequest,
          run: () => void this.test(),
          disabled: this.testing || !isSaved || !this.sample.data,
        })}
        <span class="hint">${isSaved ? "Sends this sample for real, whatever the filter says." : "Save first: a test sends what is saved."}</span>
      </div>
      <div aria-live="polite">${this.result ? outcome(this.result) : nothing}</div>
    </div>`;
  }

  shortcut(event: KeyboardEvent): void {
    if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void this.save();
  }
}

const empty: CheckResult = { ok: true, errors: [], warnings: [] };

customElements.define("ph-trigger", TriggerView);
