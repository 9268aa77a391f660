// Watching: points 11 to 14 of what the console must do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCOUNT, OPERATOR, accountKey, event, eventually, fill, freePort, setUp, startNode, startReceiver, startRedis } from "./support.mjs";

const on = setUp();

const inquiry = (id) => ({ ...event("inquiry.created", { guest: { name: "hunter2" }, inquiry: { nights: 1 } }), id });
const rows = (page) => page.locator(".firings tbody tr");

test("Activity is live, filtered by an address, pausable, and shows nothing of the data", async () => {
  const { page, errors, close } = await on.open(`#account=${ACCOUNT}&page=activity`, { key: OPERATOR });
  await page.locator(".live.live").waitFor();
  await on.node.call("POST", "/v1/events", inquiry("first"));
  await rows(page).first().waitFor();
  const first = (await rows(page).first().innerText()).replace(/\s+/g, " ");
  assert.match(first, /delivered casa-lavanda inquiry.created team-chat http:\/\/127.0.0.1:\d+ \d+ ms/);
  assert.doesNotMatch(await page.content(), /hunter2/);
  on.receiver.behaviour.status = 503;
  await on.node.call("POST", "/v1/events", inquiry("second"));
  await page.getByText("server_error").waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await on.node.call("POST", "/v1/events", inquiry("third"));
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
  on.receiver.behaviour.status = 204;
  // The response to the producer comes when the attempt begins, so the receiver has not responded yet.
  const responded = on.receiver.responded;
  await on.node.call("POST", "/v1/events", inquiry("fourth"));
  await eventually(() => assert.equal(on.receiver.responded, responded + 1));
  on.receiver.behaviour.status = 503;
  await on.node.call("POST", "/v1/events", inquiry("fifth"));
  await rows(page).first().waitFor();
  assert.deepEqual(await page.locator(".firings .badge").allInnerTexts(), ["server_error"]);
  on.receiver.behaviour.status = 204;
  assert.deepEqual(errors, []);
  await close();
});

test("Lines that arrive faster than the page shows them are counted as skipped", async () => {
  const slow = await startNode({ POSTHASTE_ACTIVITY__LINES_PER_S_MAX: "10" });
  await fill(slow, on.receiver);
  const { page, errors, close } = await on.open(`#account=${ACCOUNT}&page=activity`, { node: slow, key: OPERATOR });
  await page.locator(".live.live").waitFor();
  await slow.call("POST", "/v1/events", Array.from({ length: 400 }, (_, i) => inquiry(`many-${i}`)));
  await page.locator(".skipped").first().waitFor();
  assert.match(await page.locator(".skipped").first().innerText(), /^[\d,]+ firings? (was|were) skipped/);
  assert.ok((await rows(page).count()) <= 300);
  assert.deepEqual(errors, []);
  await close();
  await slow.stop();
});

test("An account's key sees activity only where the operator says so", async () => {
  for (const [allowed, settings] of [
    [false, {}],
    [true, { POSTHASTE_ACTIVITY__FOR_ACCOUNTS: "true" }],
  ]) {
    const own = await startNode(settings);
    await fill(own, on.receiver);
    await fill(own, on.receiver, "other");
    const { page, errors, close } = await on.open(`#account=${ACCOUNT}&page=activity`, { node: own, key: await accountKey(own) });
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
    assert.deepEqual(errors, []);
    await close();
    await own.stop();
  }
});

test("Destinations, sorted by trouble, with queue, oldest wait and drops by reason", async () => {
  const small = await startNode({ POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION: "1", POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION: "2" });
  const silent = await startReceiver();
  await fill(small, on.receiver);
  silent.behaviour.silent = true;
  const base = `/v1/accounts/${ACCOUNT}/triggers`;
  await small.call("PUT", `${base}/silent`, { event: "guest.*", template: "team-chat", url: `${silent.url}/` });
  const { page, errors, close } = await on.open(`#account=${ACCOUNT}&page=destinations`, { node: small, key: OPERATOR });
  await page.getByText("No destination is live").waitFor();
  await small.call("POST", "/v1/events", inquiry("1"));
  await small.call("POST", "/v1/events", Array.from({ length: 9 }, (_, i) => ({ ...event("guest.created", {}), id: `s${i}` })));
  const table = page.locator("tbody tr");
  await eventually(async () => {
    const texts = (await table.allInnerTexts()).map((text) => text.replace(/\s+/g, " "));
    assert.equal(texts.length, 2);
    assert.ok(texts[0].startsWith(silent.url), `the troubled one is first: ${texts}`);
    assert.match(texts[0], /stalled|dropping/);
    assert.match(texts[0], /queue_full \d/);
    assert.match(texts[1], /fine 0 0 — delivered 1/);
  });
  assert.deepEqual(errors, []);
  await close();
  await Promise.all([small.stop(), silent.stop()]);
});

/** A page of each kind, one after another, with this at its top. */
async function saidOnEveryPage(page, text) {
  const said = page.locator(".node-status").getByText(text);
  await said.waitFor();
  for (const name of ["Triggers", "Activity", "Destinations", "Keys", "Templates"]) {
    await page.getByRole("link", { name, exact: true }).click();
    await page.getByRole("heading", { name, exact: true }).waitFor();
    await said.waitFor();
  }
  return said;
}

const templates = `#account=${ACCOUNT}&page=templates`;

test("Every page says at its top that the node is stopping, and then that it is gone", async () => {
  // It goes on stopping for as long as the one attempt lasts, which the test ends.
  const long = { POSTHASTE_DISPATCH__DRAIN_MS: "600000", POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS: "600000" };
  const [own, silent] = [await startNode(long), await startReceiver()];
  await fill(own, silent);
  silent.behaviour.silent = true;
  const { page, close, expect } = await on.open(templates, { node: own, key: OPERATOR });
  expect(/503|ERR_/);
  await page.getByRole("heading", { name: "Templates" }).waitFor();
  assert.equal(await page.locator(".node-status p").count(), 0);
  await own.call("POST", "/v1/events", inquiry("1"));
  await eventually(() => assert.equal(silent.received.length, 1));
  own.child.kill("SIGTERM");
  await saidOnEveryPage(page, "The node is stopping");
  await silent.stop();
  await own.stop();
  await page.locator(".node-status").getByText("The node does not respond").waitFor();
  await close();
});

test("Every page says at its top that the node is full, until it is not", async () => {
  // One event that waits behind another one's attempt fills it, for as long as its destination does not count as stalled.
  const full = {
    POSTHASTE_INGEST__EVENTS_IN_FLIGHT_MAX: "1",
    POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION: "1",
    POSTHASTE_DISPATCH__STALLED_AFTER_MS: "60000",
    POSTHASTE_DISPATCH__BEHIND_AFTER_MS: "60000",
    POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS: "600000",
  };
  const [own, silent] = [await startNode(full), await startReceiver()];
  await fill(own, silent);
  silent.behaviour.silent = true;
  const { page, errors, close } = await on.open(templates, { node: own, key: OPERATOR });
  await page.getByRole("heading", { name: "Templates" }).waitFor();
  await own.call("POST", "/v1/events", inquiry("1"));
  await eventually(() => assert.equal(silent.received.length, 1));
  const waiting = own.call("POST", "/v1/events", inquiry("2"));
  const said = await saidOnEveryPage(page, "The node is full");
  silent.behaviour.silent = false;
  silent.respond();
  await waiting;
  await said.waitFor({ state: "detached" });
  assert.deepEqual(errors, []);
  await close();
  await Promise.all([own.stop(), silent.stop()]);
});

test("Every page says at its top that Redis is unavailable, until it is back", async () => {
  const port = await freePort();
  let redis = await startRedis(port);
  const own = await startNode({ POSTHASTE_STORE__URL: `redis://127.0.0.1:${port}` });
  await fill(own, on.receiver);
  const { page, close, expect } = await on.open(templates, { node: own, key: OPERATOR });
  expect(/503/);
  await page.getByRole("heading", { name: "Templates" }).waitFor();
  assert.equal(await page.locator(".node-status p").count(), 0);
  await redis.stop();
  const said = await saidOnEveryPage(page, "Redis is unavailable");
  redis = await startRedis(port);
  await said.waitFor({ state: "detached" });
  await close();
  await own.stop();
  await redis.stop();
});

test("Keys are created, shown once, and deleted, by scope", async () => {
  const { page, errors, close } = await on.open(`#account=${ACCOUNT}&page=keys`, { key: OPERATOR });
  for (const scope of ["account", "producer", "operator"]) {
    await page.getByLabel("Scope").selectOption(scope);
    await page.getByLabel("Name", { exact: true }).fill(`made for ${scope}`);
    await page.getByRole("button", { name: "Create key", exact: true }).click();
    const shown = page.getByRole("dialog", { name: "The new key" });
    const key = await shown.locator(".key").innerText();
    assert.match(key, /^phk_/);
    assert.equal((await on.node.call("GET", "/v1/whoami", undefined, key)).scope, scope);
    await shown.getByRole("button", { name: "I have it" }).click();
    const row = page.locator("tbody tr", { hasText: `made for ${scope}` });
    await row.waitFor();
    // It is shown once: nothing of it stays in the page when its dialog has closed.
    await page.waitForFunction((key) => !document.documentElement.outerHTML.includes(key), key);
    await row.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await row.waitFor({ state: "detached" });
    await assert.rejects(on.node.call("GET", "/v1/whoami", undefined, key), /401/);
  }
  assert.deepEqual(errors, []);
  await close();
});
