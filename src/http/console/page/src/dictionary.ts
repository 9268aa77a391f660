// The dictionary: event types, their tags, and samples of their data.

import { call } from "./api";
import { write } from "./json";

export interface Tag {
  tag: string;
  path: string;
  type: string;
  description: string;
  example: unknown;
}

export interface EventType {
  type: string;
  description: string;
  entities: string[];
}

export interface Entity {
  name: string;
  description: string;
  tags: Tag[];
}

/** A function that a template may call. */
export interface Helper {
  name: string;
  group: string;
  description: string;
  /** A call of it. One that opens a block does not close it. */
  example: string;
}

export interface Dictionary {
  events: EventType[];
  entities: Entity[];
  helpers: Helper[];
}

export type Data = Record<string, unknown>;

let all: Promise<Dictionary> | null = null;
const details = new Map<string, Promise<{ tags: Tag[]; sample: Data }>>();

export function dictionary(): Promise<Dictionary> {
  // A node of an earlier version lists no helpers.
  all ??= call<Dictionary>({ method: "GET", path: "/v1/dictionary" }).then(({ body }) => ({ ...body, helpers: body.helpers ?? [] }));
  all.catch(() => (all = null));
  return all;
}

/** The tags and the sample of an event type; `null` if the dictionary does not have the type. */
export function detail(type: string): Promise<{ tags: Tag[]; sample: Data } | null> {
  let known = details.get(type);
  if (!known) {
    const path = `/v1/dictionary/${encodeURIComponent(type)}`;
    known = call<{ tags: Tag[]; sample: Data }>({ method: "GET", path }).then((response) => response.body);
    known.catch(() => details.delete(type));
    details.set(type, known);
  }
  return known.catch(() => null);
}

/** Whether a trigger with this event pattern fires for this event type. */
export function listens(pattern: string, type: string): boolean {
  return pattern === "*" || pattern === type || (pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1)));
}

/** An event type for a pattern: the type itself, or the first of the dictionary that the pattern matches, else its first. */
export function typeFor(pattern: string, known: Dictionary): string {
  const types = known.events.map((event) => event.type);
  const first = types.find((type) => listens(pattern, type));
  return first ?? (pattern === "*" || pattern.endsWith(".*") ? (types[0] ?? "") : pattern);
}

/** The example of a tag, on one line. */
export function example(tag: Tag): string {
  const text = typeof tag.example === "string" ? tag.example : write(tag.example);
  const line = text.replace(/\s+/g, " ");
  return line.length > 44 ? `${line.slice(0, 43)}…` : line;
}

/** Clears the cache, since another account or node may have another dictionary. */
export function forget(): void {
  all = null;
  details.clear();
}
