// Everywhere: point 15 of what the console must do, a writer's journey by keyboard, and a picture of each page.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { ACCOUNT, OPERATOR, OUTPUT, accountKey, event, eventually, fill, inspect, setUp, startBrowser, startNode } from "./support.mjs";

const on = setUp({ POSTHASTE_ACTIVITY__FOR_ACCOUNTS: "true" });

const at = (page, id = "") => `#account=${ACCOUNT}&page=${page}${id && `&id=${id}`}`;
const PAGES = {
  "sign-in": ["", (page) => page.getByLabel("Key")],
  templates: [at("templates"), (page) => page.getByText("Team chat").first()],
  template: [at("template", "team-chat"), (page) => page.getByLabel("What the receiver gets")],
  "new-template": [at("template"), (page) => page.locator(".presets button.card").first()],
  triggers: [at("triggers"), (page) => page.getByText("Housekeeping").first()],
  trigger: [at("trigger", "housekeeping"), (page) => page.getByLabel("The request", { exact: true })],
  activity: [at("activity"), (page) => page.locator(".firings tbody tr").nth(4)],
  destinations: [at("destinations"), (page) => page.locator("tbody tr").first()],
  keys: [at("keys"), (page) => page.locator("tbody tr").first()],
};

/** Some firings that end well and some that don't. */
async function traffic() {
  for (const [type, status] of [["inquiry.created", 204], ["booking.confirmed", 204], ["invoice.paid", 404], ["inquiry.changed", 204], ["booking.confirmed", 500], ["inquiry.created", 204]]) {
    on.receiver.behaviour.status = status;
    const responded = on.receiver.responded;
    await on.node.call("POST", "/v1/events", event(type, { inquiry: { cost: 2000 }, rental: { id: "r1" } }));
    await eventually(() => assert.equal(on.receiver.responded, responded + 1));
  }
  on.receiver.behaviour.status = 204;
}

test("Each page, light and dark, on small and large screens: axe finds nothing serious, and nothing is cut off", async () => {
  mkdirSync(OUTPUT, { recursive: true });
  for (const [name, [hash, ready]] of Object.entries(PAGES)) {
    const { page, errors, close, expect } = await on.open(hash, { key: name === "sign-in" ? null : OPERATOR });
    // The sign-in page calls whoami without a key.
    if (name === "sign-in") expect(/401/);
    if (name === "activity") {
      await page.locator(".live.live").waitFor();
      await traffic();
    }
    await ready(page).waitFor();
    for (const width of [1440, 390, 320]) {
      await page.setViewportSize({ width, height: width === 1440 ? 900 : 844 });
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        if (width > 320) await page.screenshot({ path: `${OUTPUT}/${name}-${colorScheme}-${width}.png`, fullPage: width === 390 });
        if (width > 320) assert.deepEqual(await inspect(page), [], `${name}, ${colorScheme}, ${width} px`);
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${name} at ${width} px is ${wide} px too wide`);
    }
    await page.setViewportSize({ width: 3840, height: 2160 });
    assert.equal(await ready(page).isVisible(), true, `${name} in 4K`);
    assert.deepEqual(errors, [], name);
    await close();
  }
});

test("A key is kept in session storage only, and never in an address", async () => {
  const { page, errors, close, expect } = await on.open("", { key: null });
  expect(/401/);
  await page.getByLabel("Key").fill("phk_nobody");
  await page.keyboard.press("Enter");
  await page.getByText("This key is not known").waitFor();
  await page.getByLabel("Key").fill(on.key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Templates" }).waitFor();
  const stored = await page.evaluate(() => ({ session: JSON.stringify(sessionStorage), local: JSON.stringify(localStorage), url: location.href, cookie: document.cookie }));
  assert.ok(stored.session.includes(on.key));
  assert.ok(![stored.local, stored.url, stored.cookie].some((text) => text.includes(on.key)));
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Key").waitFor();
  assert.equal(await page.evaluate((own) => JSON.stringify(sessionStorage).includes(own), on.key), false);
  assert.deepEqual(errors, []);
  await close();
});

test("An account's key sees its account only, and a link opens the page for one account", async () => {
  await fill(on.node, on.receiver, "other");
  const own = await on.open("#account=other&page=templates");
  await own.page.getByText("This key opens the account").waitFor();
  await own.page.getByRole("link", { name: `Go to ${ACCOUNT}` }).click();
  await own.page.getByText("Team chat").first().waitFor();
  await own.page.goto(`${on.node.url}/console${at("keys")}`);
  await own.page.getByText("This page is for the operator").waitFor();
  assert.deepEqual(own.errors, []);
  await own.close();
  const operator = await on.open("#account=other", { key: OPERATOR });
  await operator.page.getByText("Team chat").first().waitFor();
  await eventually(async () => assert.equal(await operator.page.getByLabel("Account").inputValue(), "other"));
  assert.deepEqual(operator.errors, []);
  await operator.close();
  const deleted = await accountKey(on.node);
  const gone = await on.open(at("templates"), { key: deleted });
  gone.expect(/401/);
  await gone.page.getByText("Team chat").first().waitFor();
  await gone.page.goto(`${on.node.url}/console${at("template", "bookkeeping")}`);
  await gone.page.getByLabel("What the receiver gets").waitFor();
  await gone.page.getByRole("textbox", { name: "Template body" }).click();
  await gone.page.keyboard.insertText("kept");
  const draft = () => localStorage.getItem(Object.keys(localStorage).find((name) => name.includes("draft:template")) ?? "") ?? "";
  await gone.page.waitForFunction((own) => Object.entries(localStorage).some(([name, text]) => name.includes("draft:template") && text.includes(own)), "kept");
  const { items } = await on.node.call("GET", "/v1/keys");
  await on.node.call("DELETE", `/v1/keys/${items.at(-1).id}`);
  // From here on any request of the page may find the key deleted first: the next key press, or one that the page makes by itself.
  await gone.page.keyboard.insertText(" and more");
  await gone.page.getByLabel("Key").waitFor();
  assert.match(await gone.page.evaluate(draft), /kept/);
  await gone.close();
});

test("Only the origins that the operator lists may frame it", async () => {
  const outside = createServer((_, response) => response.setHeader("content-type", "text/html").end(`<iframe src="${framed.url}/console"></iframe>`));
  await new Promise((done) => outside.unref().listen(0, "127.0.0.1", done));
  const origin = `http://127.0.0.1:${outside.address().port}`;
  let framed = on.node;
  const allowing = await startNode({ POSTHASTE_CONSOLE__FRAME_ANCESTORS: JSON.stringify([origin]) });
  for (const [own, expected] of [[on.node, false], [allowing, true]]) {
    framed = own;
    const page = await on.browser.newPage();
    await page.goto(origin);
    const shown = page.frameLocator("iframe").getByLabel("Key").waitFor({ timeout: expected ? 20_000 : 2_000 });
    assert.equal(await shown.then(() => true, () => false), expected, own.url);
    await page.close();
  }
  await allowing.stop();
  await new Promise((done) => outside.close(done));
});

test("/console/ is the same page", async () => {
  const { page, errors, close } = await on.open("", { key: null });
  await page.goto(`${on.node.url}/console/${at("templates")}`);
  await page.getByLabel("Key").waitFor();
  assert.equal(page.url(), `${on.node.url}/console${at("templates")}`);
  assert.deepEqual(errors.filter((error) => !error.includes("401")), []);
  await close();
});

test("On a node without a key no page of a stranger acts as the operator", async () => {
  const keyless = await startNode({ POSTHASTE_AUTH__OPERATOR_KEY: "" });
  const { port } = new URL(keyless.url);
  // The stranger's name leads to this machine: what a name server of its own would say.
  const browser = await startBrowser("stranger.example");
  const keys = async () => (await (await fetch(`${keyless.url}/v1/keys`)).json()).items.length;
  const page = await browser.newPage();
  await page.goto(`http://stranger.example:${port}/console`);
  await page.getByText("this node has no operator key").waitFor();
  const asked = await page.evaluate(async () => {
    const response = await fetch("/v1/keys", { method: "POST", body: '{"scope": "operator"}', headers: { "content-type": "application/json" } });
    return [response.status, (await response.json()).code];
  });
  assert.deepEqual(asked, [403, "host_not_allowed"]);
  const outside = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>a page</p>"));
  await new Promise((done) => outside.unref().listen(0, "127.0.0.1", done));
  await page.goto(`http://127.0.0.1:${outside.address().port}/`);
  // A request without a content type needs no leave of the node to be sent; its response is closed to the page.
  const blind = (url) => fetch(`${url}/v1/keys`, { method: "POST", mode: "no-cors", body: new Blob(['{"scope": "operator"}']) }).catch(() => {});
  await Promise.all([page.evaluate(blind, keyless.url), page.waitForRequest(`${keyless.url}/v1/keys`).then((own) => own.allHeaders())]);
  assert.equal(await keys(), 0);
  const foreign = await fetch(`${keyless.url}/v1/keys`, { method: "POST", body: '{"scope": "operator"}', headers: { origin: "http://127.0.0.1:1", "content-type": "application/json" } });
  assert.deepEqual([foreign.status, (await foreign.json()).code], [403, "origin_not_allowed"]);
  await page.goto(`http://localhost:${port}/console`);
  await page.getByRole("heading", { name: "Which account?" }).waitFor();
  await browser.close();
  await keyless.stop();
  await new Promise((done) => outside.close(done));
});

test("A writer's journey from signing in to a delivered test, by keyboard alone", async () => {
  const { page, errors, close, expect } = await on.open("", { key: null });
  expect(/401/);
  const press = (name) => page.keyboard.press(name);
  const focused = () => page.evaluate(() => {
    let own = document.activeElement;
    while (own?.shadowRoot?.activeElement) own = own.shadowRoot.activeElement;
    return { text: own?.textContent?.trim().slice(0, 60) ?? "", id: own?.id ?? "", label: own?.getAttribute("aria-label") ?? "", visible: own !== document.body };
  });
  /** Walks on until the focus is on what is meant, as somebody without a mouse does. */
  const walkTo = async (what, key = "Tab") => {
    for (let i = 0; i < 120; i++) {
      const own = await focused();
      if (own.text === what || own.id === what || own.label === what || (what instanceof RegExp && (what.test(own.text) || what.test(own.label)))) return;
      await press(key);
    }
    assert.fail(`${what} can't be reached by ${key}; the focus is on ${JSON.stringify(await focused())}`);
  };
  await page.getByLabel("Key").waitFor();
  await walkTo("key");
  await page.keyboard.insertText(on.key);
  await press("Enter");
  await page.getByRole("heading", { name: "Templates" }).waitFor();

  await walkTo("New template");
  await press("Enter");
  await page.locator(".presets button.card").first().waitFor();
  await walkTo(/^Plain JSON|JSON|everything/i);
  await press("Enter");
  await page.getByLabel("What the receiver gets").waitFor();
  await walkTo("name");
  await press("Control+a");
  await page.keyboard.type("Night shift");
  await walkTo("Template body");
  await press("Control+a");
  await page.keyboard.insertText('{"text": "Hello "}');
  for (let i = 0; i < 2; i++) await press("ArrowLeft");
  await page.keyboard.type("*|guest:na");
  await page.getByRole("option", { name: "GUEST:NAME" }).first().waitFor();
  // CodeMirror takes a choice only once the list has been there for a moment, so that none is made by accident.
  await page.waitForTimeout(150);
  await press("Enter");
  await page.getByText('{"text": "Hello Nora Vale"}').waitFor();
  await press("Control+s");
  await page.getByText("Template saved").waitFor();

  await walkTo("Triggers", "Shift+Tab");
  await press("Enter");
  await page.getByRole("heading", { name: "Triggers" }).waitFor();
  await walkTo("New trigger");
  await press("Enter");
  await page.getByLabel("to this URL").waitFor();
  await walkTo("name");
  await page.keyboard.type("Night shift");
  await walkTo("event");
  await page.keyboard.type("guest.created");
  await walkTo("template");
  await page.locator("#template option", { hasText: "Night shift" }).waitFor({ state: "attached" });
  await page.keyboard.type("Night");
  await walkTo("url");
  await page.keyboard.type(`${on.receiver.url}/night`);
  await press("Control+s");
  await page.getByText("Trigger saved").waitFor();
  assert.equal((await on.node.call("GET", `/v1/accounts/${ACCOUNT}/triggers/night-shift`)).template, "night-shift");
  await page.waitForFunction(() => [...document.querySelectorAll(".test button")].some((own) => own.textContent.includes("Send test") && !own.disabled));
  await walkTo("Send test");
  await press("Enter");
  await page.locator(".test .result").getByText("Delivered", { exact: true }).waitFor();
  assert.deepEqual(JSON.parse(on.receiver.received.find((own) => own.path === "/night").body), { text: "Hello Nora Vale" });
  assert.deepEqual(errors, []);
  await close();
});
