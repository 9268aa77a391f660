// The form in which the cursor's place needs a tag.

import type { Tag } from "./dictionary";

/** Whether the offset is inside a string of a JSON text with expressions in it. */
function isInString(text: string, offset: number): boolean {
  let inside = false;
  for (let at = 0; at < offset; at++) {
    // What is in an expression is not the text's.
    const end = text.startsWith("{{", at) ? "}}" : text.startsWith("*|", at) ? "|*" : "";
    const close = end ? text.indexOf(end, at + 2) : -1;
    if (close >= 0 && close < offset) at = close + 1;
    else if (text[at] === "\\" && inside) at++;
    else if (text[at] === '"') inside = !inside;
  }
  return inside;
}

/** What is inserted, and how far back from its end the cursor goes. */
export function insertion(text: string, cursor: number, format: string, tag: Tag): { text: string; back: number } {
  const line = text.slice(text.lastIndexOf("\n", cursor - 1) + 1, cursor);
  const open = (begin: string, end: string) => line.lastIndexOf(begin) > line.lastIndexOf(end);
  const closes = (end: string) => text.slice(cursor).startsWith(end);
  if (open("{{", "}}")) {
    // An argument stands apart from the word before it.
    const gap = /[\w\])]$/.test(line) ? " " : "";
    return { text: gap + tag.path + (closes("}}") || !line.endsWith("{{") ? "" : "}}"), back: 0 };
  }
  const half = /\*\|[\w: ]*$/.exec(line);
  if (half && open("*|", "|*") && half[0] === "*|") return { text: tag.tag.slice(2, closes("|*") ? -2 : undefined), back: 0 };
  // In a JSON value's place the value itself is wanted: a number stays one, a text gets its quotes.
  if (format === "json" && !isInString(text, cursor)) return { text: `{{${tag.path}}}`, back: 0 };
  return { text: tag.tag, back: 0 };
}
