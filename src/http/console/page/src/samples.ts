// Samples of an event's data that templates often fail on.

import type { Data } from "./dictionary";

export const KINDS: [string, string][] = [
  ["dictionary", "From the dictionary"],
  ["nasty", "Nasty: everything at once"],
  ["quotes", "Nasty: quotes and angle brackets"],
  ["breaks", "Nasty: line breaks and tabs"],
  ["emoji", "Nasty: emoji and right-to-left"],
  ["empty", "Nasty: empty texts"],
  ["long", "Nasty: 10 kB of text"],
  ["pasted", "Pasted data"],
];

const NASTY: Record<string, string> = {
  quotes: `Zoë "Zo" O'Brien & Söhne <b>\\"\`{{x}} *|A:B|*`,
  breaks: "first line\nsecond\r\nthird\tafter a tab\u2028after a line separator",
  emoji: "👩‍👩‍👧‍👦 🇮🇪 naïve café עברית \u202Eabc\u202C 漢字",
  empty: "",
  long: "0123456789abcdef".repeat(640),
};

/** The dictionary's sample, with every text replaced. */
export function nasty(sample: Data, kind: string): Data {
  const texts = kind === "nasty" ? Object.values(NASTY) : [NASTY[kind] ?? ""];
  let next = 0;
  const replaced = (value: unknown): unknown => {
    if (typeof value === "string") return texts[next++ % texts.length];
    if (Array.isArray(value)) return value.map(replaced);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, replaced(own)]));
    }
    return value;
  };
  return replaced(sample) as Data;
}
