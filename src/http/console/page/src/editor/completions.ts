// Completion after `{{` and `*|`: the dictionary's tags for the chosen event, the keywords that open a block, and helpers.

import type { Completion, CompletionContext, CompletionResult, CompletionSource } from "@codemirror/autocomplete";
import { type Helper, type Tag, example } from "../dictionary";

const BLOCKS: Completion[] = [
  { label: "#if", detail: "only where there is a value", apply: "#if }}{{/if}}" },
  { label: "#each", detail: "once for each of a list", apply: "#each }}{{/each}}" },
  { label: "#unless", detail: "only where there is none", apply: "#unless }}{{/unless}}" },
  { label: "#with", detail: "inside one entity", apply: "#with }}{{/with}}" },
  { label: "else", detail: "otherwise", apply: "else}}" },
];

export function completions(tags: () => Tag[], helpers: () => Helper[]): CompletionSource {
  return (context: CompletionContext): CompletionResult | null => {
    const known = tags();
    if (known.length === 0) return null;
    const inTag = context.matchBefore(/\*\|[\w: ]*/);
    if (inTag) return ofTags(context, inTag.from + 2, known);
    const inExpression = context.matchBefore(/\{\{[^{}\n]*/);
    if (!inExpression) return null;
    const word = context.matchBefore(/[#\w.]*$/);
    const from = word?.from ?? context.pos;
    // A parenthesis opens the call of a helper.
    if (context.state.sliceDoc(from - 1, from) === "(") return { from, options: helpers().map(ofHelper), validFor: /^\w*$/ };
    return ofPaths(context, from, known, word?.from === inExpression.from + 2 ? helpers() : null);
  };
}

function ofTags(context: CompletionContext, from: number, known: Tag[]): CompletionResult {
  const end = closing(context, "|*");
  const options = known.map((tag) => {
    const name = tag.tag.slice(2, -2);
    return { label: name, detail: example(tag), info: tag.description, apply: name + end };
  });
  return { from, options, validFor: /^[\w:]*$/ };
}

function ofHelper({ name, description, example: call, group }: Helper): Completion {
  return { label: name, detail: group, info: `${description}: ${call}`, apply: `${name} ` };
}

/** Paths, and what else can be first in an expression: blocks and these helpers. */
function ofPaths(context: CompletionContext, from: number, known: Tag[], helpers: Helper[] | null): CompletionResult {
  const end = closing(context, "}}");
  const paths = known.map((tag) => ({
    label: tag.path,
    detail: example(tag),
    info: tag.description,
    // A path may be an argument of a helper. Only a path that stands alone closes the expression.
    apply: helpers ? tag.path + end : tag.path,
  }));
  return { from, options: helpers ? [...paths, ...BLOCKS, ...helpers.map(ofHelper)] : paths, validFor: /^[#\w.]*$/ };
}

/** The text that closes the expression; empty if it is closed already. */
function closing(context: CompletionContext, end: string): string {
  const after = context.state.sliceDoc(context.pos, context.pos + end.length);
  return after === end ? "" : end.startsWith(after) && after ? end.slice(after.length) : end;
}
