// The content of the trigger form, and the document that is made from it.

import { written } from "./filter";
import type { TriggerDoc } from "./views/list";

export interface HeaderRow {
  name: string;
  value: string;
  /** The node has a saved value for it, which it never shows. */
  isSaved: boolean;
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
  headers: HeaderRow[];
  secrets: SecretRow[];
  rate: string;
  enabled: boolean;
}

/** The filter, or why the text is not one. */
export function readWhere(text: string): { where?: unknown; error: string } {
  if (!text.trim()) return { error: "" };
  try {
    return { where: JSON.parse(text) as unknown, error: "" };
  } catch (error) {
    return { error: `The filter is not JSON yet: ${(error as Error).message}` };
  }
}

/** The members of a document that hold no secret. Empty members are left out. */
function named({ id, name, event, template, url }: Pick<TriggerDoc, "id" | "name" | "event" | "template" | "url">, where: unknown) {
  return { id, ...(name ? { name } : {}), event, ...(where === undefined ? {} : { where }), template, url };
}

/** The document of a form with this filter. Values that the node never shows are sent back as they were received. */
export function documentOf(form: Form, where: unknown): TriggerDoc {
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

/** The part of a document that drafts keep and comparisons use: without header values and secrets. */
export function plain({ id, name, event, where, template, url, headers, secrets, rate_per_s, enabled }: TriggerDoc): TriggerDoc {
  return {
    ...named({ id, name, event, template, url }, where),
    ...(headers && Object.keys(headers).length ? { headers: Object.fromEntries(Object.entries(headers).map(([own, value]) => [own, value === null ? null : "(written)"])) } : {}),
    ...(secrets?.length ? { secrets: secrets.map((own) => ({ ...(own.key ? { key: "(written)" } : { id: own.id! }), ...(own.until ? { until: own.until } : {}) })) } : {}),
    ...(rate_per_s ? { rate_per_s } : {}),
    enabled: enabled !== false,
  };
}

export function formOf(document: TriggerDoc): Form {
  return {
    id: document.id,
    name: document.name ?? "",
    event: document.event,
    template: document.template,
    url: document.url,
    where: document.where === undefined ? "" : written(document.where),
    headers: Object.keys(document.headers ?? {}).map((name) => ({ name, value: "", isSaved: document.headers![name] === null })),
    secrets: (document.secrets ?? []).filter((own) => own.id).map((own) => ({ id: own.id!, key: "", until: own.until ?? "" })),
    rate: document.rate_per_s ? String(document.rate_per_s) : "",
    enabled: document.enabled !== false,
  };
}

/** Whether a trigger with this event pattern fires for this event type. */
export function listens(pattern: string, type: string): boolean {
  return pattern === "*" || pattern === type || (pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1)));
}
