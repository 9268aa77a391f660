// The form in which a tag or a helper is inserted at the position of the cursor.

import type { Helper, Tag } from "./dictionary";

/** Whether the offset is inside a string of a JSON text with expressions in it. */
function isInString(text: string, offset: number): boolean {
  let inside = false;
  for (let at = 0; at < offset; at++) {
    // The content of an expression does not belong to the JSON text.
    const end = text.startsWith("{{", at) ? "}}" : text.startsWith("*|", at) ? "|*" : "";
    const close = end ? text.indexOf(end, at + 2) : -1;
    if (close >= 0 && close < offset) at = close + 1;
    else if (text[at] === "\\" && inside) at++;
    else if (text[at] === '"') inside = !inside;
  }
  return inside;
}

/** A text to insert, and how far before its end the cursor is placed. */
export interface Insertion {
  text: string;
  back: number;
}

/** The line before the cursor. */
function before(text: string, cursor: number): string {
  return text.slice(text.lastIndexOf("\n", cursor - 1) + 1, cursor);
}

function isOpen(line: string, begin: string, end: string): boolean {
  return line.lastIndexOf(begin) > line.lastIndexOf(end);
}

/** What separates an argument from what stands before it. */
function gap(line: string): string {
  return /[\w\])]$/.test(line) ? " " : "";
}

/** A helper: its example with the end of its block, or its name inside an expression. */
export function helperInsertion(text: string, cursor: number, { name, example }: Helper): Insertion {
  const line = before(text, cursor);
  if (isOpen(line, "{{", "}}")) return { text: `${gap(line)}${name} `, back: 0 };
  const block = /^\{\{#(\w+)/.exec(example)?.[1];
  const end = block && !example.includes(`{{/${block}}}`) ? `{{/${block}}}` : "";
  return { text: example + end, back: end.length };
}

/** A tag. */
export function insertion(text: string, cursor: number, format: string, tag: Tag): Insertion {
  const line = before(text, cursor);
  const closes = (end: string) => text.slice(cursor).startsWith(end);
  if (isOpen(line, "{{", "}}")) {
    return { text: gap(line) + tag.path + (closes("}}") || !line.endsWith("{{") ? "" : "}}"), back: 0 };
  }
  const half = /\*\|[\w: ]*$/.exec(line);
  if (half && isOpen(line, "*|", "|*") && half[0] === "*|") return { text: tag.tag.slice(2, closes("|*") ? -2 : undefined), back: 0 };
  // In the place of a JSON value, the expression becomes the value as JSON: a number stays a number, a text is quoted.
  if (format === "json" && !isInString(text, cursor)) return { text: `{{${tag.path}}}`, back: 0 };
  return { text: tag.tag, back: 0 };
}
