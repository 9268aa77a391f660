// Splits a filter into its conditions, so that the node can check each of them alone.

import { isNested, write } from "./json";

export interface Condition {
  /** The JSON Pointer into the event's data; empty for alternatives. */
  path: string;
  label: string;
  /** A filter with only this condition. */
  alone: unknown;
}

/** The conditions of a filter, in their order. Alternatives (`$or`) are one condition. */
export function conditions(where: unknown): Condition[] {
  const found: Condition[] = [];
  const walk = (node: unknown, parts: string[], wrap: (inner: unknown) => unknown): void => {
    if (!isNested(node) || Array.isArray(node)) return;
    for (const [name, own] of Object.entries(node)) {
      const inside = (inner: unknown) => wrap({ [name]: inner });
      const path = [...parts, name];
      if (name === "$or" || Array.isArray(own)) {
        const label = name === "$or" ? `${parts.join(".")}${parts.length ? ": " : ""}one of ${(own as unknown[]).length}` : path.join(".");
        found.push({ path: name === "$or" ? "" : pointer(path), label, alone: inside(own) });
      } else {
        walk(own, path, inside);
      }
    }
  };
  walk(where, [], (inner) => inner);
  return found;
}

function pointer(parts: string[]): string {
  return parts.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** The value at a pointer, as text for people. */
export function valueAt(data: unknown, path: string): string {
  let value: unknown = data;
  for (const part of path.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    const member = (own: unknown) => (isNested(own) ? (own as Record<string, unknown>)[name] : undefined);
    value = Array.isArray(value) ? value.map(member) : member(value);
  }
  if (value === undefined) return "missing";
  const text = write(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
