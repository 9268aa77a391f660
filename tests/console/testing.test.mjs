// Testing a trigger: points 8 to 10 of what the console must do.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { test } from "node:test";
import { ACCOUNT, eventually, overwrite, setUp } from "./support.mjs";

const on = setUp();

const trigger = (id) => `#account=${ACCOUNT}&page=trigger&id=${id}`;
const filter = (page) => page.getByRole("textbox", { name: "Filter, JSON" });

async function paste(page, data) {
  await page.getByRole("combobox", { name: "Sample" }).selectOption("pasted");
  await overwrite(page, page.getByRole("textbox", { name: "Data of the event, JSON" }), JSON.stringify(data));
}

const plain = (text) => text.replace(/\s+/g, " ");

test("The filter's result per condition, and the rendered request with its secrets hidden", async () => {
  const { page, errors, close } = await on.open(trigger("housekeeping"));
  await paste(page, { inquiry: { id: "48213", cost: 2000, arrive: "2026-08-14" }, rental: { id: "r1" }, guest: { name: "Nora & Co" } });
  await page.waitForFunction(() => document.querySelector("[aria-label='The request']")?.textContent.includes("<guest>Nora &amp; Co</guest>"));
  await page.getByText("This sample fires it.").waitFor();
  const conditions = page.getByLabel("Conditions of the filter").locator("li");
  const hold = ["✓ inquiry.cost holds 2000", "✓ rental.id holds \"r1\""];
  await eventually(async () => assert.deepEqual((await conditions.allInnerTexts()).map(plain), hold));
  const request = page.getByLabel("The request", { exact: true });
  const text = await request.innerText();
  assert.ok(text.startsWith(`POST ${on.receiver.url}/housekeeping`), text);
  assert.match(text, /x-team: hidden/i);
  assert.match(text, /content-type: application\/xml/);
  assert.doesNotMatch(text, /linen and keys|whsec_/);
  await paste(page, { inquiry: { cost: 2000 }, rental: { id: "r2" } });
  await page.getByText("This sample does not fire it.").waitFor();
  const one = ["✓ inquiry.cost holds 2000", "✗ rental.id does not hold \"r2\""];
  await eventually(async () => assert.deepEqual((await conditions.allInnerTexts()).map(plain), one));
  await page.getByText("its filter does not hold, at /rental/id").waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test("A test goes through the real path, with status and duration, and says what a failure means", async () => {
  const { page, errors, close } = await on.open(trigger("housekeeping"));
  const send = page.getByRole("button", { name: "Send test", exact: true });
  const result = page.locator(".test .result");
  await paste(page, { inquiry: { cost: 1 }, rental: { id: "r1" }, guest: { name: "Sent" } });
  await send.click();
  await result.getByText("Delivered", { exact: true }).waitFor();
  assert.match(await result.innerText(), /status 204/);
  assert.match(await result.innerText(), /\d+ ms/);
  assert.match(await result.innerText(), /The filter would have kept this sample back/);
  const last = on.receiver.received.at(-1);
  assert.match(last.body, /<guest>Sent<\/guest>/);
  assert.equal(last.headers["x-team"], "linen and keys");
  on.receiver.behaviour.status = 500;
  await send.click();
  await result.getByText("Not delivered").waitFor();
  assert.match(await result.innerText(), /status 500\s+server_error/);
  assert.match(await result.innerText(), /The receiver failed/);
  on.receiver.behaviour.status = 204;
  await overwrite(page, filter(page), "{}");
  await eventually(async () => assert.equal(await send.isDisabled(), true, "a test sends what is saved"));
  assert.deepEqual(errors, []);
  await close();
});

test("The filter editor shows the interface's mistakes at their pointer", async () => {
  const { page, errors, close } = await on.open(trigger("housekeeping"));
  await filter(page).waitFor();
  const save = page.getByRole("button", { name: "Save changes", exact: true });
  await overwrite(page, filter(page), '{"inquiry": {"cost": [1],\n "nights": [{"numerc": [">", 3]}]}}');
  const mistake = page.locator(".findings li.error");
  const marked = () => page.evaluate(() => [...document.querySelector("ph-editor.where").shadowRoot.querySelectorAll(".cm-lintRange-error")].map((own) => own.textContent).join(""));
  await eventually(async () => {
    assert.match(await mistake.innerText(), /\/where\/inquiry\/nights/);
    assert.match(await marked(), /numerc|\[">", 3\]/);
    assert.equal(await save.isDisabled(), true);
  });
  await overwrite(page, filter(page), '{"inquiry": {"cost": [1]}}');
  await eventually(async () => assert.equal(await save.isDisabled(), false));
  await overwrite(page, filter(page), '{"inquiry": ');
  await eventually(async () => assert.equal(await save.isDisabled(), true, "it is not JSON yet"));
  await overwrite(page, filter(page), '{"inquiry": {"cost": [{"numeric": [">", 5]}]}}');
  await eventually(async () => assert.deepEqual([await mistake.count(), await save.isDisabled()], [0, false]));
  await save.click();
  await page.getByText("Trigger saved").waitFor();
  const saved = await on.node.call("GET", `/v1/accounts/${ACCOUNT}/triggers/housekeeping`);
  assert.deepEqual(saved.where, { inquiry: { cost: [{ numeric: [">", 5] }] } });
  assert.deepEqual(Object.keys(saved.headers), ["x-team"].map((own) => Object.keys(saved.headers).find((name) => name.toLowerCase() === own)), "what is never shown is kept");
  await on.node.call("POST", `/v1/accounts/${ACCOUNT}/triggers/housekeeping/test`, {});
  assert.equal(on.receiver.received.at(-1).headers["x-team"], "linen and keys");
  assert.ok(on.receiver.received.at(-1).headers["webhook-signature"], "it still signs");
  assert.deepEqual(errors, []);
  await close();
});

test("A filter is made as a list of conditions, without JSON", async () => {
  const { page, errors, close } = await on.open(trigger(""));
  await page.getByRole("textbox", { name: "Name" }).fill("Long stays");
  await page.getByLabel("When this event comes").fill("inquiry.created");
  await page.getByLabel("to this URL").fill(`${on.receiver.url}/long`);
  const field = (what, at) => page.getByLabel(`${what} of condition ${at}`);
  const add = page.getByRole("button", { name: "Add a condition" });
  const save = page.getByRole("button", { name: "Save", exact: true });
  const written = () => page.evaluate(() => document.querySelector("ph-editor.where").value.replace(/\s+/g, " "));
  await eventually(async () => assert.equal(await page.getByLabel("Event type").inputValue(), "inquiry.created", "the sample follows"));
  await eventually(async () => assert.equal(await save.isDisabled(), false));
  await add.click();
  await eventually(async () => assert.equal(await save.isDisabled(), true, "it is not complete"));
  await field("Field", 1).fill("guest.country");
  await field("Test", 1).selectOption({ label: "is" });
  assert.doesNotMatch(await field("Test", 1).innerText(), /is more than/, "a text is not more than a number");
  await field("Values", 1).fill("PT, ES");
  await add.click();
  await page.keyboard.type("inquiry.cost");
  await field("Test", 2).selectOption({ label: "is more than" });
  await field("Values", 2).fill("a lot");
  await page.locator(".condition").getByText("Write a number").waitFor();
  assert.equal(await written(), '{"guest": {"country": ["PT", "ES"]}}', "what is not complete is not in it");
  assert.equal(await save.isDisabled(), true);
  await field("Values", 2).fill("1000.50");
  await eventually(async () => assert.equal(await save.isDisabled(), false));
  await save.click();
  await page.getByText("Trigger saved").waitFor();
  const saved = () => on.node.call("GET", `/v1/accounts/${ACCOUNT}/triggers/long-stays`);
  assert.deepEqual((await saved()).where, { guest: { country: ["PT", "ES"] }, inquiry: { cost: [{ numeric: [">", 1000.5] }] } });

  // The list and the JSON are one filter, from either side.
  await overwrite(page, filter(page), '{"guest": {"email": [{"suffix": "@a.example"}]}}');
  await eventually(async () => assert.equal(await field("Values", 1).inputValue(), "@a.example"));
  assert.equal(await page.locator(".condition").count(), 1);
  await field("Test", 1).selectOption({ label: "is missing" });
  await eventually(async () => assert.equal(await written(), '{"guest": {"email": [{"exists": false}]}}'));
  assert.equal(await field("Values", 1).count(), 0);
  await overwrite(page, filter(page), '{"$or": [{"a": [1]}, {"b": [2]}]}');
  await page.getByText("says more than a list of conditions can").waitFor();
  await overwrite(page, filter(page), '{"a": [1]}');
  await page.getByRole("button", { name: "Remove condition 1" }).click();
  await eventually(async () => assert.equal(await written(), ""));
  await page.getByRole("button", { name: "Save changes", exact: true }).click();
  await eventually(async () => assert.equal((await saved()).where, undefined, "an empty list is no filter"));
  assert.deepEqual(errors, []);
  await close();
});

test("A new trigger is made on the page, and its header's value is in no draft", async () => {
  const { page, errors, close } = await on.open(trigger(""));
  await page.getByLabel("Name", { exact: true }).fill("Crème brûlée!");
  assert.equal(await page.getByLabel("Id", { exact: true }).inputValue(), "creme-brulee");
  await page.getByLabel("When this event comes").fill("guest.*");
  await page.getByLabel("send this template").selectOption("team-chat");
  await page.getByLabel("to this URL").fill(`${on.receiver.url}/new`);
  await page.getByRole("button", { name: "Add a header" }).click();
  await page.getByLabel("Name of header 1").fill("X-Token");
  await page.getByLabel("Value of header 1").fill("hunter2");
  await page.waitForFunction(() => Object.keys(localStorage).some((name) => name.includes("draft:trigger")));
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes("hunter2")), false);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Trigger saved").waitFor();
  await eventually(async () => assert.equal(await page.getByLabel("Value of header 1").inputValue(), "", "it is never shown again"));
  await page.getByRole("button", { name: "Send test", exact: true }).click();
  await page.locator(".test .result").getByText("Delivered", { exact: true }).waitFor();
  assert.equal(on.receiver.received.at(-1).headers["x-token"], "hunter2");
  await page.getByRole("button", { name: "Rotate", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
  const shown = page.getByRole("dialog", { name: "The new secret" });
  assert.match(await shown.locator(".key").innerText(), /^whsec_/);
  await shown.getByRole("button", { name: "I have it" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("heading", { name: "Triggers" }).waitFor();
  await page.getByRole("link", { name: "Housekeeping" }).first().waitFor();
  assert.equal(await page.getByText("Crème brûlée!").count(), 0);
  assert.deepEqual(errors, []);
  await close();
});

/** Runs a command as somebody does who has the key in a variable. */
async function shell(command) {
  const { stdout } = await promisify(execFile)("bash", ["-c", command], { env: { PATH: process.env.PATH, POSTHASTE_KEY: on.key } });
  return stdout;
}

test("Each action can be copied as curl, which does the same and holds no key", async () => {
  const { page, errors, close } = await on.open(trigger("bookkeeping"));
  const copied = async (name) => {
    // The notice of the copy before may still be there, so it says nothing of this one.
    await page.evaluate(() => navigator.clipboard.writeText(""));
    await page.getByRole("button", { name }).first().click();
    const read = () => page.evaluate(() => navigator.clipboard.readText());
    await eventually(async () => assert.match(await read(), /^curl /));
    await page.getByText("curl command copied").waitFor();
    return read();
  };
  await page.getByLabel("Name", { exact: true }).fill("O'Brien's books");
  const save = await copied("Copy “Save changes” as curl");
  assert.doesNotMatch(save, new RegExp(on.key));
  assert.match(save, /\$POSTHASTE_KEY/);
  await shell(`${save} -f -o /dev/null`);
  assert.equal((await on.node.call("GET", `/v1/accounts/${ACCOUNT}/triggers/bookkeeping`)).name, "O'Brien's books");
  const sent = on.receiver.received.length;
  const test = await copied("Copy “Send test” as curl");
  const shellResult = JSON.parse(await shell(test));
  assert.equal(shellResult.delivered, true, JSON.stringify(shellResult));
  assert.equal(on.receiver.received.length, sent + 1);
  // Every button that calls the node has its curl beside it.
  const bare = await page.locator(".action > button:not(.curl)").evaluateAll((all) => all.filter((own) => !own.parentElement.querySelector(".curl")).map((own) => own.textContent));
  assert.deepEqual(bare, []);
  assert.deepEqual(errors, []);
  await close();
});
