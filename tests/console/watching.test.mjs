// Watching: points 11 to 14 of what the console must do.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ACCOUNT, OPERATOR, accountKey, event, fill, openPage, startBrowser, startNode, startReceiver } from "./support.mjs";

let node, receiver, browser;

before(async () => {
  [node, receiver, browser] = await Promise.all([startNode(), startReceiver(), startBrowser()]);
  await fill(node, receiver);
});

after(async () => {
  await browser?.close();
  await Promise.all([node?.stop(), receiver?.stop()]);
});

const inquiry = (id) => ({ ...event("inquiry.created", { guest: { name: "hunter2" }, inquiry: { nights: 1 } }), id });
const rows = (page) => page.locator(".firings tbody tr");

test("11: activity is live, filtered by an address, pausable, and shows nothing of the data", async () => {
  const { page, faults, close } = await openPage(browser, node, { key: OPERATOR, hash: `#account=${ACCOUNT}&page=activity` });
  await page.locator(".live.live").waitFor();
  await node.call("POST", "/v1/events", inquiry("first"));
  await rows(page).first().waitFor();
  const first = (await rows(page).first().innerText()).replace(/\s+/g, " ");
  assert.match(first, /delivered casa-lavanda inquiry.created team-chat http:\/\/127.0.0.1:\d+ \d+ ms/);
  assert.doesNotMatch(await page.content(), /hunter2/);
  receiver.behaviour.status = 503;
  await node.call("POST", "/v1/events", inquiry("second"));
  await page.getByText("server_error").waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await node.call("POST", "/v1/events", inquiry("third"));
  await page.getByRole("button", { name: "Go on (1 new)" }).waitFor();
  assert.equal(await rows(page).count(), 2);
  await page.getByRole("button", { name: "Go on (1 new)" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".firings tbody tr").length === 3);
  await page.getByLabel("Outcome").selectOption("failed");
  await page.getByText("Nothing has ended").waitFor();
  assert.match(page.url(), /outcome=failed/);
  await page.reload();
  await page.locator(".live.live").waitFor();
  assert.equal(await page.getByLabel("Outcome").inputValue(), "failed");
  receiver.behaviour.status = 204;
  await node.call("POST", "/v1/events", inquiry("fourth"));
  receiver.behaviour.status = 503;
  await node.call("POST", "/v1/events", inquiry("fifth"));
  await rows(page).first().waitFor();
  assert.deepEqual(await page.locator(".firings .badge").allInnerTexts(), ["server_error"]);
  receiver.behaviour.status = 204;
  assert.deepEqual(faults, []);
  await close();
});

test("11: more than a page shows in time is said to be skipped", async () => {
  const slow = await startNode({ POSTHASTE_ACTIVITY__LINES_PER_S_MAX: "10" });
  await fill(slow, receiver);
  const { page, faults, close } = await openPage(browser, slow, { key: OPERATOR, hash: `#account=${ACCOUNT}&page=activity` });
  await page.locator(".live.live").waitFor();
  await slow.call("POST", "/v1/events", Array.from({ length: 400 }, (_, i) => inquiry(`many-${i}`)));
  await page.locator(".skipped").first().waitFor();
  assert.match(await page.locator(".skipped").first().innerText(), /^[\d,]+ skipped/);
  assert.ok((await rows(page).count()) <= 300);
  assert.deepEqual(faults, []);
  await close();
  await slow.stop();
});

test("11: an account's key sees activity only where the operator says so", async () => {
  for (const [allowed, settings] of [
    [false, {}],
    [true, { POSTHASTE_ACTIVITY__FOR_ACCOUNTS: "true" }],
  ]) {
    const own = await startNode(settings);
    await fill(own, receiver);
    await fill(own, receiver, "other");
    const { page, faults, close } = await openPage(browser, own, { key: await accountKey(own), hash: `#account=${ACCOUNT}&page=activity` });
    if (allowed) {
      await page.locator(".live.live").waitFor();
      await own.call("POST", "/v1/events", { ...inquiry("1"), account: "other" });
      await own.call("POST", "/v1/events", inquiry("2"));
      await rows(page).first().waitFor();
      assert.equal(await page.locator(".firings td[title='1']").count(), 0, "nothing of another account");
    } else {
      await page.getByText("Activity is for the operator here").waitFor();
      assert.equal(await page.getByRole("link", { name: "Activity" }).count(), 0);
    }
    assert.equal(await page.getByRole("link", { name: "Keys" }).count(), 0);
    assert.deepEqual(faults, []);
    await close();
    await own.stop();
  }
});

test("12: destinations, sorted by trouble, with queue, oldest wait and drops by reason", async () => {
  const small = await startNode({ POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION: "1", POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION: "2" });
  const silent = await startReceiver();
  await fill(small, receiver);
  silent.behaviour.silent = true;
  const base = `/v1/accounts/${ACCOUNT}/triggers`;
  await small.call("PUT", `${base}/silent`, { event: "guest.*", template: "team-chat", url: `${silent.url}/` });
  const { page, faults, close } = await openPage(browser, small, { key: OPERATOR, hash: `#account=${ACCOUNT}&page=destinations` });
  await page.getByText("No destination is live").waitFor();
  await small.call("POST", "/v1/events", inquiry("1"));
  await small.call("POST", "/v1/events", Array.from({ length: 9 }, (_, i) => ({ ...event("guest.created", {}), id: `s${i}` })));
  const table = page.locator("tbody tr");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 2);
  const texts = (await table.allInnerTexts()).map((text) => text.replace(/\s+/g, " "));
  assert.ok(texts[0].startsWith(silent.url), `the troubled one is first: ${texts}`);
  assert.match(texts[0], /stalled|dropping/);
  assert.match(texts[0], /queue_full \d/);
  assert.match(texts[1], /fine 0 0 — delivered 1/);
  assert.deepEqual(faults, []);
  await close();
  await Promise.all([small.stop(), silent.stop()]);
});

test("13: what the node can't do now stands at the top of every page", async () => {
  const own = await startNode({ POSTHASTE_DISPATCH__DRAIN_MS: "15000" });
  const silent = await startReceiver();
  await fill(own, silent);
  silent.behaviour.silent = true;
  const { page, close, expect } = await openPage(browser, own, { key: OPERATOR, hash: `#account=${ACCOUNT}&page=templates` });
  expect(/503|ERR_/);
  await page.getByRole("heading", { name: "Templates" }).waitFor();
  assert.equal(await page.locator(".node-status p").count(), 0);
  await own.call("POST", "/v1/events", inquiry("1")).catch(() => {});
  own.child.kill("SIGTERM");
  const said = page.locator(".node-status").getByText("The node is stopping");
  await said.waitFor();
  for (const name of ["Triggers", "Activity", "Destinations", "Keys"]) {
    await page.getByRole("link", { name }).click();
    await page.getByRole("heading", { name, exact: true }).waitFor();
    await said.waitFor();
  }
  await own.stop();
  await page.locator(".node-status").getByText("The node does not respond").waitFor();
  await close();
  await silent.stop();
});

test("14: keys are created, shown once, and revoked, by scope", async () => {
  const { page, faults, close } = await openPage(browser, node, { key: OPERATOR, hash: `#account=${ACCOUNT}&page=keys` });
  for (const scope of ["account", "producer", "operator"]) {
    await page.getByLabel("Scope").selectOption(scope);
    await page.getByLabel("Name", { exact: true }).fill(`made for ${scope}`);
    await page.getByRole("button", { name: "Create key", exact: true }).click();
    const shown = page.getByRole("dialog", { name: "The new key" });
    const key = await shown.locator(".key").innerText();
    assert.match(key, /^phk_/);
    assert.equal((await node.call("GET", "/v1/whoami", undefined, key)).scope, scope);
    await shown.getByRole("button", { name: "I have it" }).click();
    const row = page.locator("tbody tr", { hasText: `made for ${scope}` });
    await row.waitFor();
    // It is shown once: nothing of it stays in the page when its dialog has closed.
    await page.waitForFunction((key) => !document.documentElement.outerHTML.includes(key), key);
    await row.getByRole("button", { name: "Revoke", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await row.waitFor({ state: "detached" });
    await assert.rejects(node.call("GET", "/v1/whoami", undefined, key), /401/);
  }
  assert.deepEqual(faults, []);
  await close();
});
