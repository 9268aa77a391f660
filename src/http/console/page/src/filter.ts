// Splits a filter into its conditions, so that the node can check each of them alone.

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
    if (!node || typeof node !== "object" || Array.isArray(node)) return;
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
    if (Array.isArray(value)) value = value.map((own) => (own as Record<string, unknown> | null)?.[name]);
    else value = (value as Record<string, unknown> | null | undefined)?.[name];
  }
  if (value === undefined) return "missing";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** The text of a filter. A value that fits on one line is written on one. */
export function written(value: unknown, indent = ""): string {
  const line = JSON.stringify(value);
  if (line === undefined || !value || typeof value !== "object" || line.length + indent.length <= 60) {
    return (line ?? "").replace(/("(?:[^"\\]|\\.)*")|([:,])/g, (_, text: string | undefined, mark: string) => text ?? `${mark} `);
  }
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  const parts = isList
    ? value.map((own) => inner + written(own, inner))
    : Object.entries(value).map(([name, own]) => `${inner}${JSON.stringify(name)}: ${written(own, inner)}`);
  return `${isList ? "[" : "{"}\n${parts.join(",\n")}\n${indent}${isList ? "]" : "}"}`;
}
