// A filter as a list of conditions, for people who write no JSON: a field of the data, a test, and values of which one is
// enough. All conditions must hold. A filter that says more than such a list can is edited as JSON only.

import type { Tag } from "./dictionary";
import { Verbatim, isNested, read, write } from "./json";

export interface Choice {
  /** The names that lead to the field, with dots between them. */
  path: string;
  test: TestName;
  /** With commas between them. A text is in quotes where it would be read as something else. */
  values: string;
}

type Scalar = string | number | boolean | null | Verbatim;

interface Test {
  label: string;
  /** The fields that it is offered for. */
  of: "all" | "texts" | "numbers";
  /** How many values it takes, at least and at most. */
  takes: readonly [number, number];
  /** The list of tests that a filter has for it. */
  list: (values: Scalar[]) => unknown[];
}

const MANY = [1, Infinity] as const;
const each = (name: string) => (values: Scalar[]) => values.map((value) => ({ [name]: value }));
const numeric = (...signs: string[]) => (values: Scalar[]) => [{ numeric: signs.flatMap((sign, at) => [sign, values[at]!]) }];
const literal = (text: Scalar) => String(text).replace(/[\\*]/g, "\\$&");

const TESTS = {
  is: { label: "is", of: "all", takes: MANY, list: (values) => values },
  isNot: { label: "is not", of: "all", takes: MANY, list: (values) => [{ "anything-but": values }] },
  anyCase: { label: "is (any case)", of: "texts", takes: MANY, list: each("equals-ignore-case") },
  begins: { label: "begins with", of: "texts", takes: MANY, list: each("prefix") },
  ends: { label: "ends with", of: "texts", takes: MANY, list: each("suffix") },
  contains: { label: "contains", of: "texts", takes: MANY, list: (values) => values.map((value) => ({ wildcard: `*${literal(value)}*` })) },
  more: { label: "is more than", of: "numbers", takes: [1, 1], list: numeric(">") },
  atLeast: { label: "is at least", of: "numbers", takes: [1, 1], list: numeric(">=") },
  less: { label: "is less than", of: "numbers", takes: [1, 1], list: numeric("<") },
  atMost: { label: "is at most", of: "numbers", takes: [1, 1], list: numeric("<=") },
  between: { label: "is between", of: "numbers", takes: [2, 2], list: numeric(">=", "<=") },
  there: { label: "is there", of: "all", takes: [0, 0], list: () => [{ exists: true }] },
  missing: { label: "is missing", of: "all", takes: [0, 0], list: () => [{ exists: false }] },
} satisfies Record<string, Test>;

export type TestName = keyof typeof TESTS;

const NAMES = Object.keys(TESTS) as TestName[];
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const WORDS = new Map<string, Scalar>([["true", true], ["false", false], ["null", null]]);
const testOf = (name: TestName): Test => TESTS[name];

/** Whether a test has values. */
export function hasValues(name: TestName): boolean {
  return testOf(name).takes[1] > 0;
}

/** The type of a field in the dictionary; empty if the dictionary does not have it. */
function typeOf(path: string, tags: Tag[]): string {
  const type = tags.find((tag) => tag.path === path)?.type ?? "";
  return type === "list" || type === "object" ? "" : type;
}

/** The type that the values of a test have on a field of this type. */
function valueType(test: TestName, type: string): string {
  const { of } = testOf(test);
  return of === "numbers" ? "number" : of === "texts" ? "string" : type;
}

/** The tests that are offered for a field, and the one that is chosen. */
export function testsFor({ path, test }: Choice, tags: Tag[]): [TestName, string][] {
  const type = typeOf(path, tags);
  const kind = type === "" ? "all" : isNumber(type) ? "numbers" : "texts";
  return NAMES.filter((name) => kind === "all" || name === test || ["all", kind].includes(testOf(name).of)).map((name) => [name, testOf(name).label]);
}

function isNumber(type: string): boolean {
  return type === "number" || type === "integer";
}

/** What a value that was written means for a field of this type. */
function meaning(text: string, type: string): Scalar {
  if (text.startsWith('"')) {
    try {
      return JSON.parse(text) as string;
    } catch {
      return text;
    }
  }
  if (NUMBER.test(text) && (type === "" || isNumber(type))) return read(text) as Scalar;
  if ((type === "" || type === "boolean") && WORDS.has(text)) return WORDS.get(text)!;
  return text;
}

function parts(values: string): string[] {
  const found = values.match(/\s*"(?:[^"\\]|\\.)*"\s*(?=,|$)|[^,]+/g) ?? [];
  return found.map((part) => part.trim()).filter(Boolean);
}

/** How a value is written, so that it is read as the same value. */
function shown(value: Scalar, type: string): string {
  if (typeof value !== "string") return String(value);
  const isPlain = value !== "" && value === value.trim() && !/[",]/.test(value) && meaning(value, type) === value;
  return isPlain ? value : JSON.stringify(value);
}

/** Sets a member of an object, also one named `__proto__`. */
function put(object: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

/** The filter of a list of conditions, or what is missing for it, and in which condition. */
export function filterOf(choices: Choice[], tags: Tag[]): { where: unknown } | { mistake: string; at: number } {
  const where: Record<string, unknown> = {};
  for (const [at, { path, test, values }] of choices.entries()) {
    const mistake = (text: string) => ({ mistake: text, at });
    const names = path.split(".");
    if (names.some((name) => !name)) return mistake(path ? "A field is written as names with dots between them, such as guest.country." : "Choose the field that the condition is about.");
    const { takes, list } = testOf(test);
    const type = typeOf(path, tags);
    const found = hasValues(test) ? parts(values).map((part) => meaning(part, valueType(test, type))) : [];
    const isEach = (check: (value: Scalar) => boolean) => found.every(check);
    const number = (value: Scalar) => typeof value === "number" || value instanceof Verbatim;
    if (found.length < takes[0] || found.length > takes[1]) return mistake(takes[0] === 2 ? "Write two numbers with a comma between them, such as 7, 28." : takes[1] === 1 ? "Write one number, with a point before its decimals, such as 12.50." : "Write a value, or some with commas between them.");
    if (isNumber(valueType(test, type)) && hasValues(test) && !isEach(number)) return mistake("Write a number, such as 1000 or 12.50.");
    if (test === "isNot" && !isEach(number) && !isEach((value) => typeof value === "string")) return mistake("Write only texts, or only numbers.");
    let inner = where;
    for (const name of names.slice(0, -1)) {
      const next = Object.hasOwn(inner, name) ? inner[name] : {};
      if (!isNested(next) || Array.isArray(next)) return mistake("Another condition is about a field that holds this one.");
      put(inner, name, next);
      inner = next as Record<string, unknown>;
    }
    const last = names.at(-1)!;
    if (Object.hasOwn(inner, last)) return mistake("Another condition is about this field. Write all values that it may have in one condition.");
    put(inner, last, list(found));
  }
  return { where };
}

/** A filter as a list of conditions; `null` if no list means just this filter. */
export function choicesOf(where: unknown, tags: Tag[]): Choice[] | null {
  const choices: Choice[] = [];
  const walk = (node: unknown, names: string[]): boolean => {
    if (!isNested(node)) return false;
    if (!Array.isArray(node)) return Object.entries(node).every(([name, own]) => walk(own, [...names, name]));
    const path = names.join(".");
    const choice = NAMES.map((test) => ({ path, test, values: valuesOf(node, test, typeOf(path, tags)) })).find(
      (own): own is Choice => own.values !== null && isSame(filterOf([own as Choice], tags), node, names),
    );
    if (choice) choices.push(choice);
    return choice !== undefined;
  };
  if (!walk(where, [])) return null;
  const made = filterOf(choices, tags);
  return "where" in made && write(made.where) === write(where) ? choices : null;
}

function isSame(made: ReturnType<typeof filterOf>, list: unknown[], names: string[]): boolean {
  const alone = names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), list);
  return "where" in made && write(made.where) === write(alone);
}

/** The values that a test would have in this list of tests, as they are written; `null` if it is not that test. */
function valuesOf(list: unknown[], test: TestName, type: string): string | null {
  const scalars = list.flatMap((own) => (isNested(own) ? Object.values(own).flatMap((inner) => inner as Scalar) : [own as Scalar]));
  if (!hasValues(test)) return list.length === 1 ? "" : null;
  if (scalars.some(isNested)) return null;
  const values = testOf(test).of === "numbers" ? scalars.filter((_, at) => at % 2 === 1) : scalars;
  const plain = test === "contains" ? values.map((value) => (typeof value === "string" ? value.slice(1, -1).replace(/\\([\\*])/g, "$1") : value)) : values;
  return plain.map((value) => shown(value, valueType(test, type))).join(", ");
}
