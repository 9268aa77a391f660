// The content of the trigger form, and the document that is made from it.

import type { FieldError } from "./api";
import { Verbatim, read, repeats, write, written } from "./json";
import type { TriggerDoc } from "./views/list";

/** What a draft has in place of a value that it never keeps. */
const WRITTEN = "(written)";

export interface HeaderRow {
  name: string;
  value: string;
  /** The node has a saved value for it, which it never shows. */
  isSaved: boolean;
  /** A draft had a new value for it, which drafts never keep. */
  isLost?: boolean;
}

export interface SecretRow {
  id: string;
  key: string;
  until: string;
}

/** The content of the form. The filter is text, since it may be malformed while it is edited. */
export interface Form {
  id: string;
  name: string;
  event: string;
  template: string;
  url: string;
  where: string;
  /** What is missing in a condition that is not part of the filter yet. */
  unfinished: string;
  headers: HeaderRow[];
  secrets: SecretRow[];
  rate: string;
  enabled: boolean;
}

/** Why the text of a filter is not JSON; empty if it is, or if there is no text. */
export function whereMistake(text: string): string {
  try {
    if (text.trim()) read(text);
    return "";
  } catch (error) {
    return `The filter is not JSON yet: ${(error as Error).message}`;
  }
}

/** The mistakes of a form for which there is no document that the node could check. */
export function mistakesOf({ where, unfinished, headers }: Form): FieldError[] {
  const malformed = whereMistake(where);
  const names = headers.map((row) => row.name.trim().toLowerCase());
  const lost = headers.find((row) => row.isLost && !row.value)?.name;
  const repeated = headers.find((_, i) => names[i] && names.indexOf(names[i]!) < i)?.name.trim();
  return [
    ...(unfinished ? [{ pointer: "", code: "unfinished", detail: `A condition is not complete: ${unfinished}` }] : []),
    ...(malformed ? [{ pointer: "/where", code: "malformed", detail: malformed }] : []),
    ...(lost ? [{ pointer: "/headers", code: "header_value_required", detail: `Drafts never keep the value of a header: write that of ${lost} again.` }] : []),
    ...(repeated ? [{ pointer: "/headers", code: "bad_header", detail: `The header ${repeated} is there twice.` }] : []),
  ];
}

/** The text of a filter as it is compared: in one form, but one that the node refuses stays as it is. */
function textOf(where: unknown): string {
  if (typeof where === "string") return where;
  if (!(where instanceof Verbatim)) return where === undefined ? "" : written(where);
  return whereMistake(where.text) || repeats(where.text) ? where.text : written(read(where.text));
}

/** The members of a document that hold no secret. Empty members are left out. */
function named({ id, name, event, template, url }: Pick<TriggerDoc, "id" | "name" | "event" | "template" | "url">, where: unknown) {
  return { id, ...(name ? { name } : {}), event, ...(where === undefined ? {} : { where }), template, url };
}

/**
 * The document of a form. Its filter is the text itself, so that the node gets each digit and each repeated name. Values that
 * the node never shows are sent back as they were received.
 */
export function documentOf(form: Form): TriggerDoc {
  const where = form.where.trim() ? new Verbatim(form.where) : undefined;
  const { id, name, event, template, url, rate, enabled } = form;
  const headers = form.headers.filter((row) => row.name.trim());
  const header = (row: HeaderRow) => [row.name.trim(), row.isSaved && row.value === "" ? null : row.value] as const;
  const secret = (row: SecretRow) => ({ ...(row.key ? { key: row.key } : { id: row.id }), ...(row.until ? { until: row.until } : {}) });
  return {
    ...named({ id, name, event, template, url }, where),
    ...(headers.length ? { headers: Object.fromEntries(headers.map(header)) } : {}),
    // Also an empty list: a document without `secrets` keeps those that are saved.
    secrets: form.secrets.map(secret),
    ...(rate ? { rate_per_s: Number(rate) } : {}),
    enabled,
  };
}

/** The part of a document that drafts keep and comparisons use: without header values and secrets, the filter as a text. */
export function plain({ id, name, event, where, template, url, headers, secrets, rate_per_s, enabled }: TriggerDoc): TriggerDoc {
  return {
    ...named({ id, name, event, template, url }, textOf(where) || undefined),
    ...(headers && Object.keys(headers).length ? { headers: Object.fromEntries(Object.entries(headers).map(([own, value]) => [own, value === null ? null : WRITTEN])) } : {}),
    ...(secrets?.length ? { secrets: secrets.map((own) => ({ ...(own.key ? { key: WRITTEN } : { id: own.id! }), ...(own.until ? { until: own.until } : {}) })) } : {}),
    ...(rate_per_s === undefined ? {} : { rate_per_s }),
    enabled: enabled !== false,
  };
}

/** The form of a new trigger: for the template and the event of the link that led to it. */
export function begun({ template, event = "" }: { template?: string; event?: string }, templates: { id: string }[]): Form {
  const linked = templates.find(({ id }) => id === template) ?? templates[0];
  return formOf({ id: "", event, template: linked?.id ?? "", url: "" });
}

/** A document as a text that two people's versions are compared in. */
export function shown(document: TriggerDoc): string {
  const { where, ...others } = plain(document);
  return written(others) + (where ? `\nonly if ${textOf(where)}` : "");
}

export function formOf(document: TriggerDoc): Form {
  return {
    id: document.id,
    name: document.name ?? "",
    event: document.event,
    template: document.template,
    url: document.url,
    where: textOf(document.where),
    unfinished: "",
    headers: Object.entries(document.headers ?? {}).map(([name, own]) => ({ name, value: "", isSaved: own === null, isLost: own === WRITTEN })),
    secrets: (document.secrets ?? []).filter((own) => own.id).map((own) => ({ id: own.id!, key: "", until: own.until ?? "" })),
    rate: String(document.rate_per_s ?? ""),
    enabled: document.enabled !== false,
  };
}

/** The form after the node has saved the trigger: what was changed since `before` stays, all else is as it was saved. */
export function rebased(form: Form, before: Form, saved: Form): Form {
  const changed = Object.entries(form).filter(([name, own]) => write(own) !== write(before[name as keyof Form]));
  const removed = before.secrets.filter((own) => own.id && !form.secrets.some((row) => row.id === own.id)).map((own) => own.id);
  const added = form.secrets.filter((row) => !row.id && !before.secrets.includes(row));
  const secrets = [...saved.secrets.filter((own) => !removed.includes(own.id)), ...added];
  return { ...saved, ...Object.fromEntries(changed), id: saved.id, secrets };
}
