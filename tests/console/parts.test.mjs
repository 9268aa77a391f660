// The page's plain functions, without a browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const require = createRequire(pathToFileURL(resolve(root, "target/console/package.json")));
const { buildSync } = require("esbuild");

/** Modules of the page, as the browser gets them: with one instance of what they share. */
async function load(...paths) {
  const contents = paths.map((path) => `export * from "./${path}";`).join("\n");
  const built = buildSync({
    stdin: { contents, resolveDir: resolve(root, "src/http/console/page/src"), loader: "ts" },
    nodePaths: [resolve(root, "target/console/node_modules")],
    bundle: true,
    write: false,
    format: "esm",
    external: ["lit"],
  });
  const text = built.outputFiles[0].text.replaceAll(/from "lit"/g, `from "${pathToFileURL(resolve(root, "target/console/node_modules/lit/index.js"))}"`);
  return import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
}

test("A finding's line and column are an offset, in characters as the node counts them", async () => {
  const { offsetOf, placed } = await load("findings.ts");
  const text = "a😀b\n{{x}}\n";
  assert.deepEqual([[1, 1], [1, 3], [2, 1], [2, 3], [3, 1], [9, 9]].map(([line, column]) => offsetOf(text, line, column)), [0, 3, 5, 7, 11, 11]);
  const found = (body, line, column, suggestion) => {
    const { from, to, apply } = placed(body, { severity: "error", code: "c", message: "m", line, column, suggestion });
    return [body.slice(from, to), apply?.text];
  };
  assert.deepEqual(found('{"a": "*|GUEST:NMAE|*"}', 1, 8, "*|GUEST:NAME|*"), ["*|GUEST:NMAE|*", "*|GUEST:NAME|*"]);
  assert.deepEqual(found('{"a": "*|GUEST:NMAE|*"}', 1, 8, "GUEST:NAME"), ["*|GUEST:NMAE|*", "*|GUEST:NAME|*"]);
  assert.deepEqual(found("{{guest.nmae}}", 1, 3, "guest.name"), ["guest.nmae", "guest.name"]);
  assert.deepEqual(found("{{guest.nmae}}", 1, 1, "guest.name"), ["guest.nmae", "guest.name"]);
  assert.deepEqual(found("{{#fi x}}", 1, 1, "#if"), ["#fi", "#if"]);
  assert.deepEqual(found("{{#fi x}}", 1, 3, "if"), ["fi", "if"]);
  assert.deepEqual(found("ab", 1, 3), ["", undefined]);
});

test("A pointer is found in a JSON text, however it is written", async () => {
  const { pointed } = await load("findings.ts");
  const text = '{"a/b": [1, {"c~": "x,}\\""}, true],\n "d": {"a": {"d": 2}}}';
  for (const [pointer, expected] of [
    ["/a~1b/0", "1"],
    ["/a~1b/1/c~0", '"x,}\\""'],
    ["/a~1b/2", "true"],
    ["/d/a/d", "2"],
    ["/d/a", '{"d": 2}'],
    ["/nothing", "{"],
  ]) {
    const { from, to } = pointed(text, pointer);
    assert.equal(text.slice(from, to), expected, pointer);
  }
  // A text that is no JSON yet ends the search, never the page.
  for (const broken of ["", "{", '{"a', '{"a":', "[1,", "]", '{"a" 1}']) pointed(broken, "/a/b");
});

test("A filter is taken apart into conditions that can be checked alone", async () => {
  const { conditions, valueAt } = await load("filter.ts");
  const where = { rental: { id: ["r1"], "a/b": ["x"] }, $or: [{ a: [1] }, { b: [2] }], inquiry: { cost: [{ numeric: [">", 1000] }] } };
  assert.deepEqual(
    conditions(where).map(({ path, label, alone }) => [path, label, JSON.stringify(alone)]),
    [
      ["/rental/id", "rental.id", '{"rental":{"id":["r1"]}}'],
      ["/rental/a~1b", "rental.a/b", '{"rental":{"a/b":["x"]}}'],
      ["", "one of 2", '{"$or":[{"a":[1]},{"b":[2]}]}'],
      ["/inquiry/cost", "inquiry.cost", '{"inquiry":{"cost":[{"numeric":[">",1000]}]}}'],
    ],
  );
  assert.deepEqual(conditions(undefined), []);
  const data = { rental: { "a/b": "x" }, guests: [{ name: "Z" }, { name: "M" }] };
  assert.deepEqual(["/rental/a~1b", "/guests/name", "/no/where"].map((path) => valueAt(data, path)), ['"x"', '["Z","M"]', "missing"]);
});

test("A filter is a list of conditions where a list can say the same, and nothing else is shown as one", async () => {
  const { choicesOf, filterOf, read, testsFor, write } = await load("conditions.ts", "json.ts");
  const tags = [["guest.country", "string"], ["inquiry.cost", "number"], ["inquiry.id", "string"], ["rental.tags", "list"]].map(([path, type]) => ({ path, type }));
  const rows = (where) => choicesOf(read(where), tags)?.map(({ path, test, values }) => `${path} ${test} ${values}`) ?? null;
  for (const [where, expected] of [
    ['{"guest":{"country":["PT","ES"]},"inquiry":{"cost":[{"numeric":[">",1000.50]}]}}', ["guest.country is PT, ES", "inquiry.cost more 1000.50"]],
    ['{"guest":{"name":["a, b"," c","7","true","","say \\"x\\"","9\\"",7,true,null]}}', ['guest.name is "a, b", " c", "7", "true", "", "say \\"x\\"", "9\\"", 7, true, null']],
    ['{"inquiry":{"id":["48213","true"],"cost":[9007199254740993]}}', ["inquiry.id is 48213, true", "inquiry.cost is 9007199254740993"]],
    ['{"a":[{"anything-but":["x","y"]}],"b":[{"anything-but":[1,2.0]}]}', ["a isNot x, y", "b isNot 1, 2.0"]],
    ['{"a":[{"equals-ignore-case":"x"},{"equals-ignore-case":"7"}],"b":[{"prefix":"+351"}],"c":[{"suffix":"@a.example"},{"suffix":"z"}]}', ["a anyCase x, 7", "b begins +351", "c ends @a.example, z"]],
    ['{"a":[{"wildcard":"*sea view*"},{"wildcard":"*1\\\\*\\\\\\\\*"}]}', ["a contains sea view, 1*\\"]],
    ['{"a":[{"numeric":[">=",7,"<=",28]}],"b":[{"numeric":["<",1e3]}],"c":[{"numeric":["<=",-1]}],"d":[{"numeric":[">=",0]}]}', ["a between 7, 28", "b less 1e3", "c atMost -1", "d atLeast 0"]],
    ['{"rental":{"tags":[{"exists":true}],"x":{"y":[{"exists":false}]}}}', ["rental.tags there ", "rental.x.y missing "]],
    ['{"inquiry":{"cost":[{"prefix":"12"},{"prefix":"x"}]}}', ["inquiry.cost begins 12, x"]],
    ['{"inquiry":{"cost":[{"wildcard":"*5*"}]}}', ["inquiry.cost contains 5"]],
    ['{"__proto__":{"x":["1"]}}', ['__proto__.x is "1"']],
    ["{}", []],
  ]) {
    assert.deepEqual(rows(where), expected, where);
    assert.equal(write(filterOf(choicesOf(read(where), tags), tags).where), where);
  }
  for (const other of [
    '{"a":[{"numeric":[">",7,"<",28]}]}', '{"a":["x",{"prefix":"y"}]}', '{"a":[{"anything-but":{"prefix":"x"}}]}', '{"a":[{"anything-but":"x"}]}', '{"a":[{"prefix":{"equals-ignore-case":"x"}}]}',
    '{"a":[{"wildcard":"x*y"}]}', '{"a":[{"wildcard":"*x*y*"}]}', '{"$or":[{"a":[1]},{"b":[2]}]}', '{"a.b":["x"]}', '{"":["x"]}', '{"a":[]}', '{"a":{}}', '{"a":"x"}', '["x"]', '"x"', '{"inquiry":{"id":[5]}}',
    '{"inquiry":{"cost":["5"]}}', '{"a":[["x"]]}', '{"a":[{"exists":true},"x"]}', '{"a":[{"cidr":"10.0.0.0/8"}]}', '{"a":[{"prefix":5}]}',
  ]) assert.equal(rows(other), null, other);

  const mistake = (...choices) => {
    const made = filterOf(choices.map(([path, test, values = ""]) => ({ path, test, values })), tags);
    return made.mistake ? `${made.at}: ${made.mistake}` : write(made.where);
  };
  assert.match(mistake(["", "is", "x"]), /^0: Choose the field/);
  assert.match(mistake(["a.", "is", "x"]), /^0: A field is written as names with dots/);
  assert.match(mistake(["a", "is", " , "]), /^0: Write a value/);
  assert.match(mistake(["a", "more", "1, 2"]), /^0: Write one number/);
  assert.match(mistake(["a", "between", "1"]), /^0: Write two numbers/);
  assert.match(mistake(["inquiry.cost", "is", "a lot"]), /^0: Write a number/);
  assert.match(mistake(["a", "isNot", "x, 1"]), /^0: Write only texts, or only numbers/);
  assert.match(mistake(["a", "is", "1"], ["a", "is", "2"]), /^1: Another condition is about this field/);
  assert.match(mistake(["a.b", "is", "1"], ["a", "is", "2"]), /^1: Another condition is about this field/);
  assert.match(mistake(["a", "is", "1"], ["a.b.c", "is", "2"]), /^1: Another condition is about a field that holds/);
  assert.equal(mistake(["a.b", "is", 'x,"y, z",,"open'], ["a.c", "there", "left"]), '{"a":{"b":["x","y, z","\\"open"],"c":[{"exists":true}]}}');
  const offered = (path, test = "is") => testsFor({ path, test }, tags).map(([name]) => name);
  assert.ok(offered("guest.country").includes("contains") && !offered("guest.country").includes("more"));
  assert.ok(offered("inquiry.cost").includes("more") && !offered("inquiry.cost").includes("contains"));
  assert.ok(offered("inquiry.cost", "contains").includes("contains"), "what is chosen stays");
  assert.ok(offered("rental.tags").includes("more") && offered("rental.tags").includes("contains"));
});

test("Each example of docs/filters.md is a list that means the same, or none", async () => {
  const { choicesOf, filterOf, read, write } = await load("conditions.ts", "json.ts");
  const text = readFileSync(resolve(root, "docs/filters.md"), "utf8");
  const filters = [...text.matchAll(/```json filter\n([^]*?)```/g)].map(([, filter]) => read(filter));
  const lists = filters.map((filter) => choicesOf(filter, []));
  lists.forEach((list, at) => list && assert.equal(write(filterOf(list, []).where), write(filters[at])));
  assert.ok(filters.length >= 10 && lists.some(Boolean) && lists.includes(null));
});

test("JSON is read and written with its digits, its strings and its names", async () => {
  const { Verbatim, isNested, read, repeats, write, written } = await load("json.ts");
  const many = Array.from({ length: 40 }, (_, i) => i);
  for (const text of [
    "[9007199254740993,1260.00,1e3,-0,0.1,-12,1E+2,123456789012345678901234567890]",
    '{"a":{"b":[true,false,null,""]},"c":[],"d":{}}',
    '{"__proto__":{"x":1},"a: b, [c]":"\\\" {\\\\"}',
    `{"a":${JSON.stringify(many)}}`,
    "1.0",
    '"1.0"',
  ]) {
    assert.equal(write(read(text)), text);
    assert.equal(write(read(written(read(text)))), text, "also over several lines");
    assert.equal(repeats(text), false);
  }
  assert.deepEqual([read("[12,0.5]"), read('{"a":1.50}').a], [[12, 0.5], new Verbatim("1.50")]);
  assert.equal(isNested(new Verbatim("1.50")), false);
  assert.equal(written({ a: ["x: y, z"], b: undefined }), '{"a": ["x: y, z"]}');
  assert.deepEqual(['{"a":1,"a":2}', '{"a":[{"b":{"c":1,"\\u0063":2}}]}', '[{"a":1},{"a":2}]'].map(repeats), [true, true, false]);
  for (const malformed of ["", "{", '{"a" 1}', "[1,]", "01", "1 2"]) assert.throws(() => read(malformed), SyntaxError);
});

test("Line ends of a text stay as they are when a part of it is replaced", async () => {
  const { inner, outer, replaced } = await load("editor/line-ends.ts");
  const mixed = "a\r\nb\nc\rd\r\n";
  const shown = mixed.replace(/\r\n|\r/g, "\n");
  for (let at = 0; at <= shown.length; at++) {
    assert.equal(inner(mixed, outer(mixed, at)), at);
    assert.equal(replaced(mixed, [{ from: at, to: at, insert: "" }]), mixed);
    const after = replaced(mixed, [{ from: at, to: at, insert: "x\ny" }]);
    assert.equal(after.replace(/\r\n|\r/g, "\n"), `${shown.slice(0, at)}x\ny${shown.slice(at)}`);
    assert.ok(after.includes("x\r\ny"), "a new one is like the first");
  }
  assert.deepEqual([replaced(mixed, [{ from: 0, to: 2, insert: "" }, { from: 6, to: 7, insert: "e" }]), replaced("", [{ from: 0, to: 0, insert: "a\nb" }])], ["b\nc\re\r\n", "a\nb"]);
});

test("A filter is compared in one form, unless reading it would leave something out", async () => {
  const { documentOf, formOf, plain } = await load("trigger-form.ts");
  const form = formOf({ id: "a", event: "*", template: "t", url: "u" });
  const where = (text) => plain(documentOf({ ...form, where: text })).where;
  assert.equal(where('{ "a":[ 1.0 ]}'), '{"a": [1.0]}');
  for (const text of ['{"a": [', '{"a":["A"],"a":["B"]}', "x"]) {
    assert.equal(where(text), text);
    assert.equal(formOf(plain(documentOf({ ...form, where: text }))).where, text, "a draft has it");
  }
  assert.equal(where(" "), undefined);
});

test("A tag is inserted in the form that its place needs", async () => {
  const { insertion } = await load("place.ts");
  const tag = { tag: "*|GUEST:NAME|*", path: "guest.name" };
  for (const [format, before, after, expected] of [
    ["json", '{"a": "', '"}', "*|GUEST:NAME|*"],
    ["json", '{"a": "{{x "quoted"}} ', '"}', "*|GUEST:NAME|*"],
    ["json", '{"a": "\\"', '"}', "*|GUEST:NAME|*"],
    ["json", '{"a": ', "}", "{{guest.name}}"],
    ["json", '{"a": "{{', '"}', "guest.name}}"],
    ["json", '{"a": "{{', '}}"}', "guest.name"],
    ["json", '{"a": "{{upper', '}}"}', " guest.name"],
    ["xml", "<a>", "</a>", "*|GUEST:NAME|*"],
    ["text", "*|", "", "GUEST:NAME|*"],
    ["form", "a=", "&b=c", "*|GUEST:NAME|*"],
  ]) {
    assert.equal(insertion(before + after, before.length, format, tag).text, expected, before);
  }
});

test("A helper is inserted as an example, with the end of its block, or by its name inside an expression", async () => {
  const { helperInsertion } = await load("place.ts");
  for (const [example, before, after, expected] of [
    ["{{upper guest.country}}", '{"a": "', '"}', '{"a": "{{upper guest.country}}|"}'],
    ['{{#if (eq a "b")}}', "x ", " y", 'x {{#if (eq a "b")}}|{{/if}} y'],
    ["{{#each (slice xs 0 3)}}{{this}}{{/each}}", "", "", "{{#each (slice xs 0 3)}}{{this}}{{/each}}|"],
    ["{{upper guest.country}}", "{{", "}}", "{{upper |}}"],
    ["{{upper guest.country}}", "{{trim (", ")}}", "{{trim (upper |)}}"],
    ["{{upper guest.country}}", "{{#if", "}}", "{{#if upper |}}"],
  ]) {
    const name = /\((\w+)|\{\{(\w+)/.exec(example).slice(1).find(Boolean);
    const { text, back } = helperInsertion(before + after, before.length, { name, example });
    assert.equal(before + text.slice(0, text.length - back) + "|" + text.slice(text.length - back) + after, expected);
  }
});

test("Two texts are compared line by line, and none of either is left out", async () => {
  const { compared } = await load("parts/conflict.ts");
  const lines = compared("a\nmine\nc", "a\ntheirs\nmore\nc");
  assert.deepEqual(lines.map(({ kind, text }) => `${kind} ${text}`), ["same a", "theirs theirs", "theirs more", "mine mine", "same c"]);
  const many = (word) => Array.from({ length: 1_000 }, (_, i) => `${word} ${i}`).join("\n");
  assert.equal(compared(many("a"), many("b")).length, 2_000, "long texts are bounded work");
});

test("Each outcome of a failed test has an explanation for the owner of the trigger", async () => {
  const { MEANINGS } = await load("meanings.ts");
  const source = readFileSync(resolve(root, "src/model/outcome.rs"), "utf8");
  const words = [...source.matchAll(/^ +\w+ = "(\w+)",$/gm)].map(([, word]) => word);
  // What a test can't end with: success, and what happens to deliveries that were kept over a start.
  const others = ["delivered", "entry_unreadable", "trigger_changed", "journal_lost", "journal_damaged"];
  assert.deepEqual([...new Set(words)].sort(), [...Object.keys(MEANINGS), ...others].sort());
});
