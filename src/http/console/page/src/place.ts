// The form in which a tag is inserted at the position of the cursor.

import type { Tag } from "./dictionary";

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

/** The text to insert, and how far before its end the cursor is placed. */
export function insertion(text: string, cursor: number, format: string, tag: Tag): { text: string; back: number } {
  const line = text.slice(text.lastIndexOf("\n", cursor - 1) + 1, cursor);
  const open = (begin: string, end: string) => line.lastIndexOf(begin) > line.lastIndexOf(end);
  const closes = (end: string) => text.slice(cursor).startsWith(end);
  if (open("{{", "}}")) {
    // An argument needs a blank before it.
    const gap = /[\w\])]$/.test(line) ? " " : "";
    return { text: gap + tag.path + (closes("}}") || !line.endsWith("{{") ? "" : "}}"), back: 0 };
  }
  const half = /\*\|[\w: ]*$/.exec(line);
  if (half && open("*|", "|*") && half[0] === "*|") return { text: tag.tag.slice(2, closes("|*") ? -2 : undefined), back: 0 };
  // In the place of a JSON value, the expression becomes the value as JSON: a number stays a number, a text is quoted.
  if (format === "json" && !isInString(text, cursor)) return { text: `{{${tag.path}}}`, back: 0 };
  return { text: tag.tag, back: 0 };
}
