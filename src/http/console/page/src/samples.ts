// Samples of an event's data that templates often fail on.

import type { Data } from "./dictionary";
import { isNested } from "./json";

export const KINDS: [string, string][] = [
  ["dictionary", "From the dictionary"],
  ["all", "Edge cases: all of them"],
  ["quotes", "Edge case: quotes and angle brackets"],
  ["breaks", "Edge case: line breaks and tabs"],
  ["emoji", "Edge case: emoji and right-to-left"],
  ["empty", "Edge case: empty texts"],
  ["long", "Edge case: 10 kB of text"],
  ["pasted", "Pasted data"],
];

const EDGE_CASES: Record<string, string> = {
  quotes: `Zoë "Zo" O'Brien & Söhne <b>\\"\`{{x}} *|A:B|*`,
  breaks: "first line\nsecond\r\nthird\tafter a tab\u2028after a line separator",
  emoji: "👩‍👩‍👧‍👦 🇮🇪 naïve café עברית \u202Eabc\u202C 漢字",
  empty: "",
  long: "0123456789abcdef".repeat(640),
};

/** The dictionary's sample, with every text replaced by an edge case: that of this kind, or one after the other. */
export function edgeCases(sample: Data, kind: string): Data {
  const only = EDGE_CASES[kind];
  const texts = only === undefined ? Object.values(EDGE_CASES) : [only];
  let next = 0;
  const replaced = (value: unknown): unknown => {
    if (typeof value === "string") return texts[next++ % texts.length];
    if (Array.isArray(value)) return value.map(replaced);
    if (isNested(value)) {
      return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, replaced(own)]));
    }
    return value;
  };
  return replaced(sample) as Data;
}
