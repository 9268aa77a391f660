// Maps the node's findings to positions in the text.

import type { Diagnostic, FieldError } from "./api";
import type { Finding } from "./editor/code-editor";

/** The offset of a line and column. Both start at 1; the node counts columns in characters. */
export function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let at = 1; at < line; at++) {
    const next = text.indexOf("\n", start);
    if (next < 0) return text.length;
    start = next + 1;
  }
  const end = text.indexOf("\n", start);
  const own = text.slice(start, end < 0 ? text.length : end);
  return start + [...own].slice(0, column - 1).join("").length;
}

/** The end of the token at an offset: a tag, a name, a path, or one character. */
function tokenAt(text: string, from: number): string {
  const rest = text.slice(from, from + 400);
  const token = /^(\*\|[^|\n]*\|\*|\*\|[\w: ]*|[#/]?[\p{L}\p{N}_.:@-]+|\s+|.)/su.exec(rest);
  return token?.[0] ?? "";
}

/** A finding, with the part of the text that its suggestion replaces. */
export function placed(text: string, diagnostic: Diagnostic): Finding {
  const { severity, message, suggestion } = diagnostic;
  let from = offsetOf(text, diagnostic.line, diagnostic.column);
  let token = tokenAt(text, from);
  if (suggestion && token.startsWith("{")) {
    // The finding is about the expression, the suggestion about a name in it.
    from += /^\{+~?\s*/.exec(text.slice(from))?.[0].length ?? 0;
    token = tokenAt(text, from);
  }
  const sign = /^[#/]/.exec(token)?.[0];
  if (suggestion && sign && !suggestion.startsWith(sign)) {
    from += 1;
    token = token.slice(1);
  }
  const finding: Finding = { from, to: from + Math.max(token.length, 1), severity, message };
  if (!suggestion) return finding;
  const isTag = token.startsWith("*|") && !suggestion.startsWith("*|");
  const replacement = isTag && /^[\w:]+$/.test(suggestion) ? `*|${suggestion}|*` : suggestion;
  return { ...finding, apply: { label: `Use ${replacement}`, text: replacement } };
}

/** The position of the value at a pointer (RFC 6901) in a JSON text; the whole text if there is none. */
export function pointed(text: string, pointer: string): { from: number; to: number } {
  const parts = pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return walk(text, parts) ?? { from: 0, to: Math.min(text.length, 1) };
}

function walk(text: string, parts: string[]): { from: number; to: number } | null {
  let at = 0;
  const skip = () => {
    while (/\s/.test(text[at] ?? "")) at++;
  };
  const string = (): string => {
    const from = at++;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    at++;
    try {
      return JSON.parse(text.slice(from, at)) as string;
    } catch {
      return "";
    }
  };
  let found: { from: number; to: number } | null = null;
  const value = (path: string[] | null): void => {
    skip();
    const from = at;
    if (text[at] === "{" || text[at] === "[") {
      const isObject = text[at++] === "{";
      for (let index = 0; at < text.length; index++) {
        skip();
        if (text[at] === "}" || text[at] === "]") break;
        const name = isObject ? string() : String(index);
        skip();
        if (isObject && text[at] === ":") at++;
        value(path && path[0] === name ? path.slice(1) : null);
        skip();
        if (text[at] !== ",") break;
        at++;
      }
      at++;
    } else if (text[at] === '"') {
      string();
    } else {
      while (at < text.length && !/[\s,\]}]/.test(text[at]!)) at++;
      if (at === from) at++;
    }
    if (path?.length === 0) found = { from, to: at };
  };
  value(parts);
  return found;
}

/** The mistakes whose pointers begin with a prefix, as findings in the text of that part of the document. */
export function inPart(text: string, prefix: string, errors: FieldError[]): Finding[] {
  const own = errors.filter((error) => error.pointer === prefix || error.pointer.startsWith(`${prefix}/`));
  return own.map((error) => ({ ...pointed(text, error.pointer.slice(prefix.length)), severity: "error", message: error.detail }));
}
