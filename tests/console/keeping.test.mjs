// What someone has written is saved as it is, or kept.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCOUNT, OPERATOR, eventually, overwrite, setUp } from "./support.mjs";

const on = setUp();

const trigger = (id) => `#account=${ACCOUNT}&page=trigger&id=${id}`;
const path = (kind, id) => `/v1/accounts/${ACCOUNT}/${kind}s/${id}`;
const saved = (kind, id) => on.node.call("GET", path(kind, id));
/** As the node writes it: reading the digits would change them. */
const text = async (kind, id) => (await fetch(on.node.url + path(kind, id), { headers: { authorization: `Bearer ${OPERATOR}` } })).text();
const filter = (page) => page.getByRole("textbox", { name: "Filter, JSON" });
const button = (page, name) => page.getByRole("button", { name, exact: true });

/** A saved trigger, with these members besides the ones that it must have. */
const put = (id, more) => on.node.call("PUT", path("trigger", id), { event: "guest.created", template: "team-chat", url: `${on.receiver.url}/${id}`, ...more });

test("The last secret is removed", async () => {
  await put("signed", { secret: "whsec_cG9zdGhhc3RlLXRlc3RzLW9ubHktbm90LWEtc2VjcmV0" });
  const { page, errors, close } = await on.open(trigger("signed"));
  await page.getByRole("button", { name: /^Remove secret sec_/ }).click();
  await button(page, "Save changes").click();
  await page.getByText("Trigger saved").waitFor();
  assert.equal((await saved("trigger", "signed")).secrets, undefined);
  await on.node.call("POST", `${path("trigger", "signed")}/test`, {});
  assert.equal(on.receiver.received.at(-1).headers["webhook-signature"], undefined);
  assert.deepEqual(errors, []);
  await close();
});

test("A filter that nobody changed keeps its digits, and a repeated name is a mistake", async () => {
  const where = '{"guest":{"id":[9007199254740993,1260.00]}}';
  const body = `{"event": "guest.created", "template": "team-chat", "url": "${on.receiver.url}/digits", "where": ${where}}`;
  const headers = { authorization: `Bearer ${OPERATOR}`, "content-type": "application/json" };
  assert.equal((await fetch(on.node.url + path("trigger", "digits"), { method: "PUT", headers, body })).status, 201);
  const { page, errors, close } = await on.open(trigger("digits"));
  await page.getByLabel("Name", { exact: true }).fill("Renamed");
  await button(page, "Save changes").click();
  await page.getByText("Trigger saved").waitFor();
  assert.ok((await text("trigger", "digits")).includes(`"where":${where}`), await text("trigger", "digits"));
  await overwrite(page, filter(page), '{"guest": {"name": ["A"], "name": ["B"]}}');
  const mistake = page.locator(".findings li.error");
  await eventually(async () => {
    assert.match(await mistake.innerText(), /\/where\/guest\/name.*repeated/s);
    assert.equal(await button(page, "Save changes").isDisabled(), true);
  });
  assert.deepEqual(errors, []);
  await close();
});

test("Numbers of a sample keep their digits", async () => {
  await on.node.call("PUT", path("template", "digits"), { format: "text", body: "{{guest.id}} {{inquiry.cost}} {{#each guest.list}}{{@key}} {{/each}}" });
  const { page, errors, close } = await on.open(`#account=${ACCOUNT}&page=template&id=digits`);
  const preview = page.getByLabel("What the receiver gets");
  await page.getByLabel("Event type").fill("inquiry.created");
  await page.getByLabel("Event type").press("Enter");
  const { cost } = /"cost":(?<cost>\d+\.\d0)/.exec(await (await fetch(`${on.node.url}/v1/dictionary/inquiry.created`, { headers: { authorization: `Bearer ${OPERATOR}` } })).text()).groups;
  await eventually(async () => assert.ok((await preview.innerText()).includes(` ${cost} `), await preview.innerText()));
  await page.getByRole("combobox", { name: "Sample" }).selectOption("pasted");
  await overwrite(page, page.getByRole("textbox", { name: "Data of the event, JSON" }), '{"guest": {"id": 9007199254740993, "list": {"b": 1, "1": 2}}, "inquiry": {"cost": 7.00}}');
  await eventually(async () => assert.equal((await preview.innerText()).trim(), "9007199254740993 7.00 b 1"));
  assert.deepEqual(errors, []);
  await close();
});

const template = (id) => `#account=${ACCOUNT}&page=template&id=${id}`;
const name = (page) => page.getByLabel("Name", { exact: true });
const url = (page) => page.getByLabel("to this URL");
const state = (page) => page.locator(".status-line");
const body = (page) => page.getByRole("textbox", { name: "Template body" });
const written = (page, editor) => page.evaluate((own) => document.querySelector(`ph-editor.${own}`).value, editor);
const confirmed = (page, yes) => page.getByRole("dialog").getByRole("button", { name: yes }).click();

test("A draft has an unfinished filter and all else that was written", async () => {
  await put("unfinished", { where: { guest: { name: ["B"] } } });
  const { page, errors, close } = await on.open(trigger("unfinished"));
  await url(page).fill(`${on.receiver.url}/at-night`);
  await overwrite(page, filter(page), '{"guest": {"name": ["A"');
  await page.locator(".findings li.error").getByText("The filter is not JSON yet").waitFor();
  await page.getByRole("link", { name: "Triggers", exact: true }).first().click();
  await confirmed(page, "Leave");
  await page.getByRole("heading", { name: "Triggers" }).waitFor();
  await page.goBack();
  await page.getByText("Your unsaved draft was restored").waitFor();
  assert.equal(await url(page).inputValue(), `${on.receiver.url}/at-night`);
  assert.equal(await written(page, "where"), '{"guest": {"name": ["A"');
  await page.getByRole("button", { name: "Discard the draft" }).click();
  await eventually(async () => assert.equal(await written(page, "where"), '{"guest": {"name": ["B"]}}'));
  assert.deepEqual(errors, []);
  await close();
});

test("A conflict ends with the draft that was in it", async () => {
  await put("meanwhile", { name: "Old" });
  const { page, errors, close, expect } = await on.open(trigger("meanwhile"));
  expect(/412/);
  await name(page).fill("Mine");
  await page.getByRole("link", { name: "Triggers", exact: true }).first().click();
  await confirmed(page, "Leave");
  await page.getByRole("heading", { name: "Triggers" }).waitFor();
  await put("meanwhile", { name: "Theirs" });
  await page.goBack();
  await page.getByText("Your unsaved draft was restored").waitFor();
  await button(page, "Save changes").click();
  const conflict = page.getByRole("heading", { name: "Someone else has saved this meanwhile" });
  await conflict.waitFor();
  await button(page, "Discard the draft").click();
  await conflict.waitFor({ state: "detached" });
  assert.equal(await name(page).inputValue(), "Theirs");
  await name(page).fill("Mine again");
  await button(page, "Save changes").click();
  await page.getByText("Trigger saved").waitFor();
  assert.equal((await saved("trigger", "meanwhile")).name, "Mine again");
  assert.deepEqual(errors, []);
  await close();
});

test("Rotating a secret keeps what was written", async () => {
  await put("rotated", { name: "Old" });
  const { page, errors, close } = await on.open(trigger("rotated"));
  await name(page).fill("A long new name");
  await url(page).fill(`${on.receiver.url}/new`);
  await button(page, "Rotate").click();
  await confirmed(page, "Rotate");
  await button(page, "I have it").click();
  await page.getByRole("button", { name: /^Remove secret sec_/ }).waitFor();
  assert.deepEqual([await name(page).inputValue(), await url(page).inputValue()], ["A long new name", `${on.receiver.url}/new`]);
  await state(page).getByText("Changed, not saved").waitFor();
  await button(page, "Save changes").click();
  await page.getByText("Trigger saved").waitFor();
  const after = await saved("trigger", "rotated");
  assert.deepEqual([after.name, after.secrets.length], ["A long new name", 1]);
  assert.deepEqual(errors, []);
  await close();
});

/** Holds the next PUT of the page until it is released. */
async function held(page) {
  let release;
  const released = new Promise((done) => (release = done));
  let isHeld;
  const arrived = new Promise((done) => (isHeld = done));
  await page.route(/\/v1\/accounts\/.*/, async (route) => {
    if (route.request().method() !== "PUT") return route.continue();
    isHeld();
    await released;
    await route.continue();
    await page.unroute(/\/v1\/accounts\/.*/);
  });
  return { arrived, release };
}

test("What is written while a save is on its way stays, and a draft has it", async () => {
  await put("on-its-way", {});
  await on.node.call("PUT", path("template", "on-its-way"), { format: "text", body: "old" });
  const draft = (page, text) => page.waitForFunction((own) => Object.entries(localStorage).some(([key, value]) => key.includes("on-its-way") && value.includes(own)), text);
  for (const [hash, write, said] of [
    [trigger("on-its-way"), (page, text) => name(page).fill(text), "Trigger saved"],
    [template("on-its-way"), (page, text) => overwrite(page, body(page), text), "Template saved"],
  ]) {
    const { page, errors, close } = await on.open(hash);
    await write(page, "One");
    const { arrived, release } = await held(page);
    await button(page, "Save changes").click();
    await arrived;
    await write(page, "One and two");
    release();
    await page.getByText(said).waitFor();
    await state(page).getByText("Changed, not saved").waitFor();
    await draft(page, "One and two");
    await page.waitForFunction(() => !document.querySelector(".actions .primary").disabled);
    await button(page, "Save changes").click();
    await eventually(async () => assert.match(await state(page).innerText(), /^Saved/));
    assert.deepEqual(errors, []);
    await close();
  }
  assert.equal((await saved("trigger", "on-its-way")).name, "One and two");
  assert.equal((await saved("template", "on-its-way")).body, "One and two");
});

test("A new trigger keeps its id, its field and what is written while it is saved", async () => {
  const { page, errors, close } = await on.open(trigger(""));
  await name(page).fill("First");
  await page.getByLabel("When this event comes").fill("guest.*");
  await url(page).fill(`${on.receiver.url}/first`);
  const { arrived, release } = await held(page);
  await button(page, "Save").click();
  await arrived;
  await name(page).click();
  await page.keyboard.press("End");
  await page.keyboard.type(" and second");
  release();
  await page.getByText("Trigger saved").waitFor();
  await page.keyboard.type(" and third");
  await eventually(async () => assert.equal(await name(page).inputValue(), "First and second and third"));
  assert.equal(await page.getByLabel("Id", { exact: true }).inputValue(), "first");
  await button(page, "Save changes").click();
  await eventually(async () => assert.match(await state(page).innerText(), /^Saved/));
  assert.equal((await saved("trigger", "first")).name, "First and second and third");
  assert.deepEqual(errors, []);
  await close();
});

test("What someone else deletes meanwhile can be saved as new", async () => {
  await put("doomed", { headers: { "X-A": "1" } });
  await on.node.call("PUT", path("template", "doomed"), { format: "text", body: "one" });
  for (const [kind, hash, write, list] of [
    ["template", template("doomed"), (page, text) => overwrite(page, body(page), text), "Templates"],
    ["trigger", trigger("doomed"), (page, text) => name(page).fill(text), "Triggers"],
  ]) {
    const { page, errors, close, expect } = await on.open(hash);
    expect(/412|422|404/);
    // The check that follows on the last key would find the trigger's header without a value, and refuse to save.
    const checked = page.waitForResponse((own) => own.url().endsWith("/check") && own.request().postData().includes("written at night"));
    await write(page, "a long text written at night");
    await checked;
    await on.node.call("DELETE", path(kind, "doomed"));
    await button(page, "Save changes").click();
    await page.getByText(`Someone deleted this ${kind} meanwhile`).waitFor();
    page.on("dialog", (dialog) => dialog.accept());
    await page.getByRole("link", { name: list, exact: true }).first().click();
    await confirmed(page, "Leave");
    // Also the list names what is only in this browser.
    await page.getByText("kept as a draft in this browser").getByRole("link", { name: "doomed" }).click();
    await page.getByText(`Someone deleted this ${kind} meanwhile`).waitFor();
    await page.getByLabel("Id", { exact: true }).fill("doomed-again");
    // The saved value went with the trigger.
    if (kind === "trigger") {
      await page.getByText("`null` keeps the saved value, but none is saved").first().waitFor();
      await page.getByLabel("Value of header 1").fill("2");
    }
    await page.waitForFunction(() => !document.querySelector(".actions .primary").disabled);
    await button(page, "Save").click();
    await eventually(async () => assert.match(await state(page).innerText(), /^Saved/));
    const after = await saved(kind, "doomed-again");
    assert.equal(kind === "trigger" ? after.name : after.body, "a long text written at night");
    assert.match(page.url(), /id=doomed-again$/);
    assert.deepEqual(errors, []);
    await close();
  }
});

test("A new document whose id is taken says so and gets another", async () => {
  await put("taken", { name: "Taken" });
  await put("taken-2", {});
  const { page, errors, close, expect } = await on.open(trigger(""));
  expect(/412/);
  await name(page).fill("Taken");
  await page.getByLabel("When this event comes").fill("guest.*");
  await url(page).fill(`${on.receiver.url}/other`);
  await page.waitForFunction(() => !document.querySelector(".actions .primary").disabled);
  await button(page, "Save").click();
  const note = page.getByText("The account has another trigger with the id taken");
  await note.waitFor();
  assert.equal(await page.getByText("Someone else has saved this").count(), 0);
  await page.getByRole("button", { name: "save it as taken-2" }).click();
  await page.getByRole("button", { name: "save it as taken-3" }).click();
  await page.getByText("Trigger saved").waitFor();
  assert.match(page.url(), /id=taken-3$/);
  assert.equal((await saved("trigger", "taken")).url, `${on.receiver.url}/taken`, "the other one is as it was");
  await button(page, "Send test").click();
  await page.locator(".test .result").getByText("Delivered", { exact: true }).waitFor();
  assert.equal(on.receiver.received.at(-1).path, "/other");
  await button(page, "Delete").click();
  await confirmed(page, "Delete");
  await page.getByRole("heading", { name: "Triggers" }).waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test("Two templates of one preset, and names in any script, have ids", async () => {
  const ids = [];
  for (const title of [null, null, "日本語"]) {
    const { page, errors, close, expect } = await on.open(template(""));
    expect(/412/);
    await page.locator(".presets button.card").first().click();
    await page.getByLabel("What the receiver gets").waitFor();
    if (title) await name(page).fill(title);
    await page.waitForFunction(() => !document.querySelector(".actions .primary").disabled);
    await button(page, "Save").click();
    if (ids.length === 1) await page.getByRole("button", { name: `save it as ${ids[0]}-2` }).click();
    await page.getByText("Template saved").waitFor();
    ids.push(await page.getByLabel("Id", { exact: true }).inputValue());
    assert.deepEqual(errors, []);
    await close();
  }
  assert.deepEqual(ids.slice(1), [`${ids[0]}-2`, "template"]);
  assert.equal((await saved("template", "template")).name, "日本語");
});

test("Leaving is asked once, and staying costs no entry of the history", async () => {
  const { page, errors, close } = await on.open(`#account=${ACCOUNT}&page=activity`, { key: OPERATOR });
  await page.getByRole("link", { name: "Templates", exact: true }).click();
  await page.getByRole("link", { name: /^Team chat/ }).click();
  await page.getByLabel("What the receiver gets").waitFor();
  await overwrite(page, body(page), "stay here");
  for (let i = 0; i < 3; i++) {
    await page.goBack();
    await confirmed(page, "Stay");
    await eventually(() => assert.match(page.url(), /page=template&id=team-chat$/));
    assert.equal(await written(page, "body"), "stay here");
    await page.locator("dialog").waitFor({ state: "detached" });
  }
  // The second of these does not open another question.
  await page.evaluate((account) => {
    addEventListener("hashchange", () => (location.hash = `#account=${account}&page=keys`), { once: true });
    location.hash = `#account=${account}&page=triggers`;
  }, ACCOUNT);
  await page.getByRole("dialog").waitFor();
  await eventually(() => assert.match(page.url(), /page=template&id=team-chat$/));
  assert.equal(await page.getByRole("dialog").count(), 1);
  await confirmed(page, "Stay");
  await page.locator("dialog").waitFor({ state: "detached" });
  await page.goBack();
  await confirmed(page, "Leave");
  await page.getByRole("heading", { name: "Templates" }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Activity" }).waitFor();
  await page.goForward();
  await page.goForward();
  await page.getByText("Your unsaved draft was restored").waitFor();
  await page.getByRole("button", { name: "Discard the draft" }).click();
  assert.deepEqual(errors, []);
  await close();
});

test("A template that is not there any more is shown as missing, and another can be chosen", async () => {
  for (const id of ["here", "gone"]) await on.node.call("PUT", `/v1/accounts/few/templates/${id}`, { format: "text", body: id });
  const { page, errors, close } = await on.open("#account=few&page=trigger", { key: OPERATOR });
  const choice = page.getByLabel("send this template");
  await name(page).fill("Night");
  await page.getByLabel("When this event comes").fill("guest.*");
  await url(page).fill(`${on.receiver.url}/few`);
  await choice.selectOption("gone");
  await page.waitForFunction(() => Object.values(localStorage).some((text) => text.includes('"template":"gone"') && text.includes("/few")));
  await on.node.call("DELETE", "/v1/accounts/few/templates/gone");
  page.on("dialog", (dialog) => dialog.accept());
  await page.reload();
  await page.getByText("Your unsaved draft was restored").waitFor();
  assert.equal(await choice.evaluate((own) => own.selectedOptions[0].textContent), "gone (missing)");
  await choice.selectOption("here");
  await page.waitForFunction(() => !document.querySelector(".actions .primary").disabled);
  await button(page, "Save").click();
  await page.getByText("Trigger saved").waitFor();
  assert.equal((await on.node.call("GET", "/v1/accounts/few/triggers/night")).template, "here");
  assert.deepEqual(errors, []);
  await close();
});

test("Two headers of one name and a rate of 0 are mistakes", async () => {
  await put("headers", {});
  const { page, errors, close } = await on.open(trigger("headers"));
  for (const [i, header] of ["X-A", "x-a"].entries()) {
    await button(page, "Add a header").click();
    await page.getByLabel(`Name of header ${i + 1}`).fill(header);
    await page.getByLabel(`Value of header ${i + 1}`).fill(`value ${i}`);
  }
  await page.getByText("The header x-a is there twice.").first().waitFor();
  assert.equal(await button(page, "Save changes").isDisabled(), true);
  for (let i = 0; i < 2; i++) await page.getByRole("button", { name: /^Remove header/ }).first().click();
  await eventually(async () => assert.match(await state(page).innerText(), /^Saved/));
  await page.getByLabel("Most deliveries a second").fill("0");
  await page.locator(".findings li.error").getByText("/rate_per_s").waitFor();
  await state(page).getByText("Changed, not saved").waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test("A template keeps its line ends, and findings are at their places", async () => {
  await on.node.call("PUT", path("template", "lines"), { format: "text", body: "a\r\nb\nc\r\n" });
  const { page, errors, close } = await on.open(template("lines"));
  await page.getByLabel("What the receiver gets").waitFor();
  await body(page).click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("{{guest.nmae}}");
  await page.getByRole("button", { name: "Use guest.name" }).click();
  await eventually(async () => assert.equal(await written(page, "body"), "a\r\nb\nc\r\n{{guest.name}}"));
  await body(page).click();
  await page.keyboard.press("Control+End");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => !document.querySelector(".actions .primary").disabled);
  await button(page, "Save changes").click();
  await page.getByText("Template saved").waitFor();
  assert.equal((await saved("template", "lines")).body, "a\r\nb\nc\r\n{{guest.name}}\r\n");
  assert.deepEqual(errors, []);
  await close();
});

test("A new template says what its receiver wants of a trigger", async () => {
  const { page, errors, close } = await on.open(template(""));
  await page.locator(".presets button.card", { hasText: "SOAP" }).click();
  await page.getByText("The URL of a trigger for this receiver has the form https://accounting.example/soap").waitFor();
  await page.getByText("SOAPAction: urn:accounting#RecordPayment").waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test("A header whose new value no draft keeps is not saved without a value", async () => {
  await put("lost-value", { headers: { "X-A": "old" } });
  const { page, errors, close } = await on.open(trigger("lost-value"));
  await page.getByLabel("Value of header 1").fill("new");
  await page.waitForFunction(() => Object.keys(localStorage).some((key) => key.includes("lost-value")));
  page.on("dialog", (dialog) => dialog.accept());
  await page.reload();
  await page.getByText("write that of X-A again").first().waitFor();
  assert.equal(await button(page, "Save changes").isDisabled(), true);
  await page.getByLabel("Value of header 1").fill("newer");
  await button(page, "Save changes").click();
  await page.getByText("Trigger saved").waitFor();
  await on.node.call("POST", `${path("trigger", "lost-value")}/test`, {});
  assert.equal(on.receiver.received.at(-1).headers["x-a"], "newer");
  assert.deepEqual(errors, []);
  await close();
});
