// Reads and writes JSON without changing it. JavaScript's numbers would turn 9007199254740993 into 9007199254740992 and
// 1260.00 into 1260, so such a number keeps its text.

/** JSON that is written as it is: a number, or a whole text. */
export class Verbatim {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** A string, a bracket, or a number or word of a valid text. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]]|[^\s,:{}[\]"]+/g;

/** The value of a text. A number is a `Verbatim` if JavaScript would write it differently. Throws if the text is not JSON. */
export function read(text: string): unknown {
  JSON.parse(text);
  const tokens = text.match(TOKENS) ?? [];
  let at = 0;
  const value = (): unknown => {
    const token = tokens[at++]!;
    if (token === "{") {
      const members: [string, unknown][] = [];
      while (tokens[at] !== "}") members.push([JSON.parse(tokens[at++]!) as string, value()]);
      at++;
      // Also a member named `__proto__` is only a member here.
      return Object.fromEntries(members);
    }
    if (token === "[") {
      const items: unknown[] = [];
      while (tokens[at] !== "]") items.push(value());
      at++;
      return items;
    }
    const plain: unknown = JSON.parse(token);
    return typeof plain === "number" && String(plain) !== token ? new Verbatim(token) : plain;
  };
  return value();
}

/** Whether an object of a valid text has a name twice. Reading it keeps the last one only. */
export function repeats(text: string): boolean {
  return text.match(TOKENS)?.length !== write(read(text)).match(TOKENS)?.length;
}

/** Whether a value has members or items. */
export function isNested(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(value instanceof Verbatim);
}

/** The text of a value on one line. */
export function write(value: unknown): string {
  return spaced(value, "");
}

function spaced(value: unknown, blank: string): string {
  if (value instanceof Verbatim) return value.text;
  if (!isNested(value)) return JSON.stringify(value) ?? "null";
  const next = `,${blank}`;
  if (Array.isArray(value)) return `[${value.map((own) => spaced(own, blank)).join(next)}]`;
  const members = Object.entries(value).filter(([, own]) => own !== undefined);
  return `{${members.map(([name, own]) => `${JSON.stringify(name)}:${blank}${spaced(own, blank)}`).join(next)}}`;
}

/** The text of a value for people. A value that fits on one line is written on one. */
export function written(value: unknown, indent = ""): string {
  const line = spaced(value, " ");
  if (!isNested(value) || line.length + indent.length <= 60) return line;
  const inner = `${indent}  `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const parts = Object.entries(value)
    .filter(([, own]) => own !== undefined)
    .map(([name, own]) => inner + (Array.isArray(value) ? "" : `${JSON.stringify(name)}: `) + written(own, inner));
  return `${open}\n${parts.join(",\n")}\n${indent}${close}`;
}
