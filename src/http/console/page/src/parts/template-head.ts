// The head of the template view: name, id, format, content type, the triggers that use it, and the save button.

import { type TemplateResult, html, nothing } from "lit";
import type { Edited } from "../document";
import { route } from "../route";
import { session } from "../session";
import { action, plural } from "../ui";
import type { TemplateDoc, TriggerDoc } from "../views/list";

const FORMATS: [TemplateDoc["format"], string][] = [
  ["json", "JSON"],
  ["xml", "XML"],
  ["form", "Form"],
  ["text", "Text"],
];
/** The most triggers that are named; of the others, the number is shown. */
const USERS_NAMED = 5;

export interface Head {
  doc: TemplateDoc;
  edited: Edited<TemplateDoc>;
  /** The triggers that use the template; `null` until they are known. */
  users: TriggerDoc[] | null;
  /** The event type of the preview. */
  event: string;
  /** The name of the preset that it was made from; empty if there is none. */
  preset: string;
  isSaving: boolean;
  isRefused: boolean;
  change: (change: Partial<TemplateDoc>) => void;
  save: () => void;
  erase: () => void;
}

export function head(own: Head): TemplateResult {
  const { doc, edited, change } = own;
  const isNew = !edited.saved;
  const isUsed = Boolean(own.users?.length);
  const value = (event: Event) => (event.target as HTMLInputElement).value;
  return html`<h1 tabindex="-1" class="hidden">${doc.name || doc.id || "New template"}</h1>
    <div class="head form" @keydown=${(event: KeyboardEvent) => event.key === "Enter" && event.target instanceof HTMLInputElement && own.save()}>
      <label class="field grow">
        <span>Name</span>
        <input id="name" maxlength="200" .value=${doc.name ?? ""} @input=${(e: Event) => change({ name: value(e) })} />
      </label>
      <label class="field">
        <span>Id</span>
        <input id="doc-id" maxlength="128" spellcheck="false" ?readonly=${!isNew} .value=${doc.id} @input=${(e: Event) => change({ id: value(e).trim() })} />
      </label>
      <label class="field">
        <span>Format</span>
        <select @change=${(e: Event) => change({ format: value(e) as TemplateDoc["format"] })}>
          ${FORMATS.map(([format, label]) => html`<option value=${format} ?selected=${format === doc.format}>${label}</option>`)}
        </select>
      </label>
      <label class="field">
        <span>Content type</span>
        <input placeholder="of the format" spellcheck="false" .value=${doc.content_type ?? ""} @input=${(e: Event) => change({ content_type: value(e).trim() })} />
      </label>
      <div class="actions">
        ${action({
          label: isNew ? "Save" : "Save changes",
          kind: "primary",
          request: doc.id ? edited.request(doc) : null,
          run: own.save,
          disabled: own.isRefused,
        })}
        ${isNew
          ? nothing
          : action({
              label: "Delete",
              kind: "danger",
              request: edited.removal(),
              run: own.erase,
              disabled: isUsed,
              ...(isUsed ? { title: "A trigger uses it" } : {}),
            })}
      </div>
    </div>
    <p class="status-line" role="status">${state(own)} ${usedBy(own, isNew)}</p>`;
}

function state({ doc, edited, isSaving }: Head): string {
  if (isSaving) return "Saving …";
  if (edited.isSaved(doc)) return "Saved.";
  return edited.saved ? "Changed, not saved." : "Not saved yet.";
}

function usedBy({ users, doc, event, preset }: Head, isNew: boolean): TemplateResult | string {
  if (!users || isNew) return "";
  if (!users.length) {
    const made = route.href({ account: session.account, page: "trigger", template: doc.id, event, preset });
    return html`Used by no trigger: nothing sends it yet. <a href=${made}>Make a trigger for it</a>`;
  }
  const link = ({ id, name }: TriggerDoc, i: number) =>
    html`${i ? ", " : ""}<a href=${route.href({ account: session.account, page: "trigger", id })}>${name || id}</a>`;
  const more = users.length > USERS_NAMED ? " …" : "";
  return html`Used by ${plural(users.length, "trigger")}: ${users.slice(0, USERS_NAMED).map(link)}${more}. A change takes effect for
    ${users.length === 1 ? "it" : "all of them"} at once.`;
}
