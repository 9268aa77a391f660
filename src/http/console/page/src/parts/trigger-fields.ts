// The fields of the trigger form.

import { type TemplateResult, html, nothing } from "lit";
import type { CodeEditor } from "../editor/code-editor";
import type { HeaderRow, SecretRow } from "../trigger-form";
import type { TriggerView } from "../views/trigger";
import { curlButton } from "../ui";
import type { ConditionsChange } from "./conditions";
import { wanted } from "./presets";
import "../editor/code-editor";
import "./conditions";

export function fields(view: TriggerView): TemplateResult {
  const { form } = view;
  const text = (event: Event) => (event.target as HTMLInputElement).value;
  const faults = (pointer: string) =>
    view.errorsAt(pointer).map((error) => html`<span class="error-text small" id="error${pointer.replaceAll("/", "-")}">${error.detail}</span>`);
  const types = view.querySelector("#event-types") ? "event-types" : nothing;
  return html`<div class="fields">
    <label class="field">
      <span>Name</span>
      <input id="name" maxlength="200" .value=${form.name} @input=${(e: Event) => view.change({ name: text(e) })} />
    </label>
    <label class="field">
      <span>Id</span>
      <input id="doc-id" maxlength="128" spellcheck="false" ?readonly=${!view.isNew} .value=${form.id} @input=${(e: Event) => view.change({ id: text(e).trim() })} />
      ${faults("/id")}
    </label>
    <label class="field">
      <span>When this event comes</span>
      <input id="event" list=${types} spellcheck="false" autocomplete="off" placeholder="guest.created, guest.* or *" .value=${form.event} @input=${(e: Event) => view.change({ event: text(e).trim() })} />
      ${faults("/event")}
    </label>
    <label class="field">
      <span>send this template</span>
      <select id="template" @change=${(e: Event) => view.change({ template: text(e) })}>
        ${view.templates.some((own) => own.id === form.template) ? nothing : html`<option value=${form.template} .selected=${true}>${otherTemplate(view)}</option>`}
        ${view.templates.map((own) => html`<option value=${own.id} .selected=${own.id === form.template}>${own.name || own.id} (${own.format})</option>`)}
      </select>
      ${faults("/template")}
    </label>
    <label class="field wide">
      <span>to this URL</span>
      <input id="url" type="url" spellcheck="false" placeholder=${view.preset?.url ?? "https://example.com/hook"} .value=${form.url} @input=${(e: Event) => view.change({ url: text(e).trim() })} />
      ${faults("/url")}
    </label>
    ${view.preset ? wanted(view.preset) : nothing}
    <div class="field wide">
      <span id="where-label">only if (optional)</span>
      <ph-conditions .where=${form.where} .tags=${view.sample.tags} @ph-conditions=${(e: CustomEvent<ConditionsChange>) => view.change(e.detail)}></ph-conditions>
      <span class="hint">The same filter as JSON. Empty: every such event.</span>
      <ph-editor
        class="small where"
        .label=${"Filter, JSON"}
        .lang=${"json"}
        .value=${form.where}
        @input=${(e: Event) => view.change({ where: (e.currentTarget as CodeEditor).value, unfinished: "" })}
      ></ph-editor>
      ${faults("/where")}
    </div>
    ${headers(view)} ${secrets(view)}
    <label class="field">
      <span>Most deliveries a second (optional)</span>
      <input id="rate" type="number" min="1" .value=${form.rate} @input=${(e: Event) => view.change({ rate: text(e) })} />
      ${faults("/rate_per_s")}
    </label>
    <label class="check">
      <input type="checkbox" .checked=${form.enabled} @change=${(e: Event) => view.change({ enabled: (e.target as HTMLInputElement).checked })} />
      <span>Enabled</span>
    </label>
  </div>`;
}

/** What is chosen if it is none of the templates. */
function otherTemplate({ form, templates, hasAllTemplates }: TriggerView): string {
  if (form.template) return hasAllTemplates ? `${form.template} (missing)` : form.template;
  return templates.length ? "Choose a template" : "There is no template yet";
}

function headers(view: TriggerView): TemplateResult {
  const rows = view.form.headers;
  const set = (at: number, change: Partial<HeaderRow>) => view.change({ headers: rows.map((row, i) => (i === at ? { ...row, ...change } : row)) });
  return html`<fieldset class="wide">
    <legend>Headers</legend>
    ${rows.map(
      (row, at) => html`<div class="pair">
        <input aria-label="Name of header ${at + 1}" placeholder="X-Token" spellcheck="false" .value=${row.name} @input=${(e: Event) => set(at, { name: (e.target as HTMLInputElement).value })} />
        <input
          aria-label="Value of header ${at + 1}"
          placeholder=${row.isSaved ? "saved, never shown; write to replace" : "value"}
          spellcheck="false"
          autocomplete="off"
          .value=${row.value}
          @input=${(e: Event) => set(at, { value: (e.target as HTMLInputElement).value })}
        />
        <button type="button" class="plain" aria-label="Remove header ${row.name || at + 1}" @click=${() => view.change({ headers: rows.filter((_, i) => i !== at) })}>Remove</button>
      </div>`,
    )}
    ${view.errorsAt("/headers").map((error) => html`<span class="error-text small">${error.detail}</span>`)}
    <button type="button" class="plain" @click=${() => view.change({ headers: [...rows, { name: "", value: "", isSaved: false }] })}>Add a header</button>
  </fieldset>`;
}

function secrets(view: TriggerView): TemplateResult {
  const rows = view.form.secrets;
  const set = (at: number, change: Partial<SecretRow>) => view.change({ secrets: rows.map((row, i) => (i === at ? { ...row, ...change } : row)) });
  return html`<fieldset class="wide">
    <legend>Signing secrets</legend>
    ${rows.map((row, at) =>
      row.id
        ? html`<div class="pair">
            <code>${row.id}</code><span class="hint">${row.until ? `until ${new Date(row.until).toLocaleString()}` : "saved, never shown"}</span>
            <button type="button" class="plain" aria-label="Remove secret ${row.id}" @click=${() => view.change({ secrets: rows.filter((_, i) => i !== at) })}>Remove</button>
          </div>`
        : html`<div class="pair">
            <input aria-label="Secret ${at + 1}" placeholder="whsec_…" spellcheck="false" autocomplete="off" .value=${row.key} @input=${(e: Event) => set(at, { key: (e.target as HTMLInputElement).value.trim() })} />
            <span></span>
            <button type="button" class="plain" aria-label="Remove secret ${at + 1}" @click=${() => view.change({ secrets: rows.filter((_, i) => i !== at) })}>Remove</button>
          </div>`,
    )}
    ${view.errorsAt("/secrets").map((error) => html`<span class="error-text small">${error.detail}</span>`)}
    <div class="row">
      <button type="button" class="plain" @click=${() => view.change({ secrets: [...rows, { id: "", key: "", until: "" }] })}>Add a secret</button>
      ${view.isNew
        ? nothing
        : html`<span class="action"><button type="button" class="plain" @click=${() => void view.rotate()}>Rotate</button>${curlButton("Rotate", view.rotation)}</span>`}
    </div>
  </fieldset>`;
}
