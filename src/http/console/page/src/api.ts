// The public HTTP interface. Only this file of the console sends requests to the node.

import { read, write } from "./json";
import { session } from "./session";

/** A mistake in a document. */
export interface FieldError {
  pointer: string;
  code: string;
  detail: string;
}

/** A finding about a template. */
export interface Diagnostic {
  severity: "error" | "warning";
  code: string;
  line: number;
  column: number;
  message: string;
  suggestion?: string;
}

/** A problem document (RFC 9457), or a substitute if there was no response. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly errors: FieldError[] = [],
    readonly diagnostics: Diagnostic[] = [],
  ) {
    super(detail);
  }

  /** The node does not know this call. */
  get isUnknownCall(): boolean {
    return this.status === 405 || this.code === "no_such_path";
  }
}

/** One call: it can be made, or copied as a curl command. */
export interface Request {
  method: "GET" | "PUT" | "POST" | "DELETE";
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Response<T> {
  status: number;
  etag: string | null;
  body: T;
}

/** The URL of a path of the interface. It is relative to the page, so that a proxy can serve the node under a path. */
export function address(path: string): URL {
  return new URL(path.replace(/^\//, ""), document.baseURI.split("#")[0]);
}

/** A path below an account. */
export function at(account: string, ...parts: string[]): string {
  return ["/v1/accounts", account, ...parts].map((part, i) => (i === 0 ? part : encodeURIComponent(part))).join("/");
}

function headers(request: Request): Record<string, string> {
  const sent: Record<string, string> = { ...request.headers };
  if (request.body !== undefined) sent["content-type"] = "application/json";
  if (session.key) sent["authorization"] = `Bearer ${session.key}`;
  return sent;
}

/** Makes a call. Throws a `Problem` unless the response is a success. */
export async function call<T = unknown>(request: Request, signal?: AbortSignal): Promise<Response<T>> {
  const body = request.body === undefined ? undefined : write(request.body);
  let response: globalThis.Response;
  try {
    response = await fetch(address(request.path), { method: request.method, headers: headers(request), body, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    session.setReachable(false);
    throw new Problem(0, "unreachable", "The node does not respond. Check that it runs and that you are online.");
  }
  session.setReachable(true);
  const text = await response.text();
  const json = text ? parse(text) : undefined;
  if (response.ok) return { status: response.status, etag: response.headers.get("etag"), body: json as T };
  throw problem(response.status, json);
}

function parse(text: string): unknown {
  try {
    return read(text);
  } catch {
    return undefined;
  }
}

function problem(status: number, json: unknown): Problem {
  const document = (json ?? {}) as { code?: string; detail?: string; errors?: FieldError[]; diagnostics?: Diagnostic[] };
  if (status === 401) session.refused(document.detail ?? "The key is not known.");
  const detail = document.detail ?? `The node responded with status ${status}.`;
  return new Problem(status, document.code ?? "unexpected", detail, document.errors, document.diagnostics);
}

/** The items of all pages of a list, up to a number that a person can look through, and the ids of unreadable ones. */
export async function list<T>(path: string, max = 2000): Promise<{ items: T[]; unreadable: string[]; more: boolean }> {
  const items: T[] = [];
  const unreadable: string[] = [];
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({ limit: "500", ...(cursor ? { cursor } : {}) });
    const joint = path.includes("?") ? "&" : "?";
    const page = await call<{ items: T[]; unreadable?: string[]; cursor?: string }>({ method: "GET", path: `${path}${joint}${query}` });
    items.push(...page.body.items);
    unreadable.push(...(page.body.unreadable ?? []));
    cursor = page.body.cursor;
  } while (cursor && items.length < max);
  return { items, unreadable, more: Boolean(cursor) };
}

/** One event of an event stream. */
export interface StreamEvent {
  event: string;
  data: string;
}

/** Reads Server-Sent Events until `signal` aborts. It replaces EventSource, which can't send a key. */
export async function stream(path: string, signal: AbortSignal, onEvent: (event: StreamEvent) => void): Promise<void> {
  const request: Request = { method: "GET", path };
  const response = await fetch(address(path), { headers: headers(request), signal });
  session.setReachable(true);
  if (!response.ok || !response.body) throw problem(response.status, parse(await response.text()));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = { event: "message", data: "" };
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) event.event = line.slice(7);
        if (line.startsWith("data: ")) event.data += line.slice(6);
      }
      onEvent(event);
    }
  }
}

/** The curl command of a call. The key is a shell variable, so that it is not saved in the history. */
export function curl(request: Request): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const words = ["curl -sS"];
  if (request.method !== "GET") words.push(`-X ${request.method}`);
  words.push(quoted(address(request.path).href));
  if (session.key) words.push(`-H "authorization: Bearer $POSTHASTE_KEY"`);
  for (const [name, value] of Object.entries(request.headers ?? {})) words.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (request.body !== undefined) {
    words.push(`-H 'content-type: application/json'`, `--data-raw ${quoted(write(request.body))}`);
  }
  return words.join(" ");
}
