// Everywhere: point 15 of what the console must do, a writer's journey by keyboard, and a picture of each page.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { ACCOUNT, OPERATOR, OUTPUT, accountKey, event, fill, inspect, openPage, startBrowser, startNode, startReceiver } from "./support.mjs";

let node, receiver, browser, key;

before(async () => {
  [node, receiver, browser] = await Promise.all([startNode({ POSTHASTE_ACTIVITY__FOR_ACCOUNTS: "true" }), startReceiver(), startBrowser()]);
  await fill(node, receiver);
  key = await accountKey(node);
});

after(async () => {
  await browser?.close();
  await Promise.all([node?.stop(), receiver?.stop()]);
});

const at = (page, id = "") => `#account=${ACCOUNT}&page=${page}${id && `&id=${id}`}`;
const PAGES = {
  "sign-in": ["", (page) => page.getByLabel("Key")],
  templates: [at("templates"), (page) => page.getByText("Team chat").first()],
  template: [at("template", "team-chat"), (page) => page.getByLabel("What the receiver gets")],
  "new-template": [at("template"), (page) => page.locator(".presets button.card").first()],
  triggers: [at("triggers"), (page) => page.getByText("Housekeeping").first()],
  trigger: [at("trigger", "housekeeping"), (page) => page.getByRole("button", { name: "Send test", exact: true })],
  activity: [at("activity"), (page) => page.locator(".firings tbody tr").nth(4)],
  destinations: [at("destinations"), (page) => page.locator("tbody tr").first()],
  keys: [at("keys"), (page) => page.locator("tbody tr").first()],
};

/** Some firings that end well and some that don't. */
async function traffic() {
  for (const [type, status] of [["inquiry.created", 204], ["booking.confirmed", 204], ["invoice.paid", 404], ["inquiry.changed", 204], ["booking.confirmed", 500], ["inquiry.created", 204]]) {
    receiver.behaviour.status = status;
    await node.call("POST", "/v1/events", event(type, { inquiry: { cost: 2000 }, rental: { id: "r1" } }));
  }
  receiver.behaviour.status = 204;
}

test("15: each page, light and dark, on a phone and on a desk: axe finds nothing serious, and nothing is cut off", async () => {
  mkdirSync(OUTPUT, { recursive: true });
  for (const [name, [hash, ready]] of Object.entries(PAGES)) {
    const { page, faults, close, expect } = await openPage(browser, node, { key: name === "sign-in" ? null : OPERATOR, hash });
    // Signing in asks who comes without a key.
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
    assert.deepEqual(faults, [], name);
    await close();
  }
});

test("15: a key is kept in session storage only, and never in an address", async () => {
  const { page, faults, close, expect } = await openPage(browser, node, { hash: "" });
  expect(/401/);
  await page.getByLabel("Key").fill("phk_nobody");
  await page.keyboard.press("Enter");
  await page.getByText("This key is not known").waitFor();
  await page.getByLabel("Key").fill(key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Templates" }).waitFor();
  const stored = await page.evaluate(() => ({ session: JSON.stringify(sessionStorage), local: JSON.stringify(localStorage), url: location.href, cookie: document.cookie }));
  assert.ok(stored.session.includes(key));
  assert.ok(![stored.local, stored.url, stored.cookie].some((text) => text.includes(key)));
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Key").waitFor();
  assert.equal(await page.evaluate((own) => JSON.stringify(sessionStorage).includes(own), key), false);
  assert.deepEqual(faults, []);
  await close();
});

test("15: an account's key sees its account only, and a link opens the page for one account", async () => {
  await fill(node, receiver, "other");
  const own = await openPage(browser, node, { key, hash: "#account=other&page=templates" });
  await own.page.getByText("This key opens the account").waitFor();
  await own.page.getByRole("link", { name: `Go to ${ACCOUNT}` }).click();
  await own.page.getByText("Team chat").first().waitFor();
  await own.page.goto(`${node.url}/console${at("keys")}`);
  await own.page.getByText("This page is for the operator").waitFor();
  assert.deepEqual(own.faults, []);
  await own.close();
  const operator = await openPage(browser, node, { key: OPERATOR, hash: "#account=other" });
  await operator.page.getByText("Team chat").first().waitFor();
  assert.equal(await operator.page.getByLabel("Account").inputValue(), "other");
  assert.deepEqual(operator.faults, []);
  await operator.close();
  const revoked = await accountKey(node);
  const gone = await openPage(browser, node, { key: revoked, hash: at("templates") });
  gone.expect(/401/);
  await gone.page.getByText("Team chat").first().waitFor();
  await gone.page.goto(`${node.url}/console${at("template", "bookkeeping")}`);
  await gone.page.getByLabel("What the receiver gets").waitFor();
  await gone.page.getByRole("textbox", { name: "Template body" }).click();
  await gone.page.keyboard.insertText("kept");
  const draft = () => localStorage.getItem(Object.keys(localStorage).find((name) => name.includes("draft:template")) ?? "") ?? "";
  await gone.page.waitForFunction((own) => Object.entries(localStorage).some(([name, text]) => name.includes("draft:template") && text.includes(own)), "kept");
  const { items } = await node.call("GET", "/v1/keys");
  await node.call("DELETE", `/v1/keys/${items.at(-1).id}`);
  // From here on any request of the page may find the key revoked first: the next key press, or one that the page makes by itself.
  await gone.page.keyboard.insertText(" and more");
  await gone.page.getByLabel("Key").waitFor();
  assert.match(await gone.page.evaluate(draft), /kept/);
  await gone.close();
});

test("15: only the origins that the operator lists may frame it", async () => {
  const outside = createServer((_, response) => response.setHeader("content-type", "text/html").end(`<iframe src="${framed.url}/console"></iframe>`));
  await new Promise((done) => outside.listen(0, "127.0.0.1", done));
  const origin = `http://127.0.0.1:${outside.address().port}`;
  let framed = node;
  const allowing = await startNode({ POSTHASTE_CONSOLE__FRAME_ANCESTORS: JSON.stringify([origin]) });
  for (const [own, expected] of [[node, false], [allowing, true]]) {
    framed = own;
    const page = await browser.newPage();
    await page.goto(origin);
    const shown = page.frameLocator("iframe").getByLabel("Key").waitFor({ timeout: expected ? 20_000 : 2_000 });
    assert.equal(await shown.then(() => true, () => false), expected, own.url);
    await page.close();
  }
  await allowing.stop();
  await new Promise((done) => outside.close(done));
});

test("a writer's journey from signing in to a delivered test, by keyboard alone", async () => {
  const { page, faults, close, expect } = await openPage(browser, node, { hash: "" });
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
  await page.keyboard.insertText(key);
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
  await page.keyboard.type("Night");
  await walkTo("url");
  await page.keyboard.type(`${receiver.url}/night`);
  await press("Control+s");
  await page.getByText("Trigger saved").waitFor();
  assert.equal((await node.call("GET", `/v1/accounts/${ACCOUNT}/triggers/night-shift`)).template, "night-shift");
  await page.waitForFunction(() => [...document.querySelectorAll(".test button")].some((own) => own.textContent.includes("Send test") && !own.disabled));
  await walkTo("Send test");
  await press("Enter");
  await page.locator(".test .verdict").getByText("Delivered", { exact: true }).waitFor();
  assert.deepEqual(JSON.parse(receiver.received.find((own) => own.path === "/night").body), { text: "Hello Nora Vale" });
  assert.deepEqual(faults, []);
  await close();
});
