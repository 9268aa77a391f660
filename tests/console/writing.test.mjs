// Writing a template: points 1 to 7 of what the console must do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCOUNT, eventually, overwrite, setUp } from "./support.mjs";

const on = setUp();

const template = (id) => `#account=${ACCOUNT}&page=template&id=${id}`;
const editor = (page) => page.getByRole("textbox", { name: "Template body" });
const preview = (page) => page.getByLabel("What the receiver gets");

const write = (page, text) => overwrite(page, editor(page), text);
const written = (page) => page.evaluate(() => document.querySelector("ph-editor.body").value);

async function saved(id) {
  return on.node.call("GET", `/v1/accounts/${ACCOUNT}/templates/${id}`);
}

test("A new template starts from a preset chosen by receiver, never from an empty box", async () => {
  const { page, errors, close } = await on.open(`#account=${ACCOUNT}&page=templates`);
  await page.getByRole("link", { name: "New template" }).click();
  await page.getByRole("heading", { name: "New template" }).waitFor();
  assert.equal(await page.locator("ph-editor").count(), 0, "no empty box");
  const presets = page.locator(".presets button.card");
  await presets.first().waitFor();
  assert.ok((await presets.count()) >= 3);
  const title = await presets.first().locator(".title").innerText();
  await presets.first().click();
  await preview(page).waitFor();
  await eventually(async () => {
    assert.notEqual((await editor(page).innerText()).trim(), "");
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), title);
  });
  assert.match(await page.getByLabel("Id", { exact: true }).inputValue(), /^[a-z0-9-]+$/);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Template saved").waitFor();
  const { id, body } = await saved(await page.getByLabel("Id", { exact: true }).inputValue());
  assert.ok(body.length > 0);
  await eventually(() => assert.ok(page.url().includes(`id=${id}`), "it has an address now"));
  const event = await page.getByLabel("Event type").inputValue();
  await page.getByRole("link", { name: "Make a trigger for it" }).click();
  await page.getByRole("heading", { name: "New trigger" }).waitFor();
  assert.equal(await page.getByLabel("send this template").inputValue(), id);
  assert.equal(await page.getByLabel("When this event comes").inputValue(), event);
  const [{ url }] = (await on.node.call("GET", "/v1/presets")).presets;
  assert.equal(await page.getByLabel("to this URL").getAttribute("placeholder"), url, "the form of the receiver's URL");
  assert.match(await page.locator(".fields .note").innerText(), /The URL of a trigger for this receiver has the form/);
  assert.deepEqual(errors, []);
  await close();
});

test("The dictionary is searched, and a click inserts the form that the place needs", async () => {
  const { page, errors, close } = await on.open(template("team-chat"));
  await preview(page).waitFor();
  const search = page.getByLabel("Search the dictionary");
  await search.fill("guest email");
  const tag = page.getByRole("button", { name: /^GUEST:EMAIL/ });
  await tag.waitFor();
  await eventually(async () => assert.equal(await page.locator(".tag").count(), 1));
  assert.match(await tag.innerText(), /e-mail address.*\n?.*nora/is, "description and example");
  for (const [before, after, expected] of [
    ['{"a": "', '"}', '{"a": "*|GUEST:EMAIL|*"}'],
    ['{"a": ', "}", '{"a": {{guest.email}}}'],
    ['{"a": "{{', '}}"}', '{"a": "{{guest.email}}"}'],
    ['{"a": "{{upper ', '}}"}', '{"a": "{{upper guest.email}}"}'],
    ['{"a": "*|', '|*"}', '{"a": "*|GUEST:EMAIL|*"}'],
  ]) {
    await write(page, before + after);
    for (let i = 0; i < after.length; i++) await page.keyboard.press("ArrowLeft");
    await tag.click();
    await eventually(async () => assert.equal(await written(page), expected, before));
  }
  assert.deepEqual(errors, []);
  await close();
});

test("Helpers are searched beside the tags, and a click inserts a call that works", async () => {
  const { page, errors, close } = await on.open(template("team-chat"));
  await preview(page).waitFor();
  const helper = page.getByRole("button", { name: /^upper / });
  assert.equal(await helper.isVisible(), false, "the list is closed");
  await page.getByText("Helpers: dates, numbers").click();
  await helper.waitFor();
  await page.getByLabel("Search the dictionary").fill("capitals");
  await page.getByText(/0 of \d+ tags of inquiry.created, 1 of \d+ helpers/).waitFor();
  await eventually(async () => assert.equal(await page.locator(".tag").count(), 1));
  assert.match(await helper.innerText(), /A text in capitals.*\{\{upper guest.country\}\}/s);
  await write(page, '{"a": ""}');
  for (let i = 0; i < 2; i++) await page.keyboard.press("ArrowLeft");
  await helper.click();
  await eventually(async () => assert.equal(await written(page), '{"a": "{{upper guest.country}}"}'));
  await page.waitForFunction(() => document.querySelector("[aria-label='What the receiver gets']")?.textContent.includes('{"a": "GB"}'));
  assert.deepEqual(errors, []);
  await close();
});

test("Completion after {{ and *|", async () => {
  const { page, errors, close } = await on.open(template("team-chat"));
  await preview(page).waitFor();
  for (const [typed, option, expected] of [
    ['{"a": "*|guest:na', "GUEST:NAME", '{"a": "*|GUEST:NAME|*'],
    ['{"a": "{{rental.na', "rental.name", '{"a": "{{rental.name}}'],
    ['{"a": "{{upp', "upper", '{"a": "{{upper '],
    ['{"a": "{{trim (upp', "upper", '{"a": "{{trim (upper '],
    ['{"a": "{{upper guest.coun', "guest.country", '{"a": "{{upper guest.country'],
  ]) {
    await write(page, "");
    await page.keyboard.type(typed);
    const choice = page.getByRole("option", { name: option }).first();
    await choice.waitFor();
    await choice.click();
    await eventually(async () => assert.ok((await written(page)).startsWith(expected), await written(page)));
  }
  assert.deepEqual(errors, []);
  await close();
});

test("The preview follows each key; while the text is broken the last good one stays, greyed", async () => {
  const { page, errors, close } = await on.open(template("team-chat"));
  await preview(page).waitFor();
  await write(page, '{"guest": "*|GUEST:NAME|*"}');
  await page.getByText('{"guest": "Nora Vale"}').waitFor();
  await page.locator(".preview:not(.stale)").waitFor();
  await page.keyboard.insertText(",");
  await page.locator(".preview.stale").waitFor();
  assert.equal(await preview(page).innerText(), '{"guest": "Nora Vale"}');
  await page.keyboard.press("Backspace");
  await page.locator(".preview:not(.stale)").waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test("Findings are squiggles and a list with position and fix, and a suggestion applies with one click", async () => {
  const { page, errors, close } = await on.open(template("team-chat"));
  await preview(page).waitFor();
  await write(page, '{\n  "guest": "*|GUEST:NMAE|*"\n}');
  const finding = page.locator(".findings li.error");
  await finding.waitFor();
  assert.match(await finding.innerText(), /2:\d+/);
  assert.match(await finding.innerText(), /unknown_tag/);
  const squiggles = () => page.evaluate(() => document.querySelector("ph-editor.body").shadowRoot.querySelectorAll(".cm-lintRange-error").length);
  await eventually(async () => assert.equal(await squiggles(), 1));
  await page.keyboard.press("Control+Home");
  await finding.getByRole("button", { name: /Go to line 2/ }).click();
  const cursor = () => page.evaluate(() => document.querySelector("ph-editor.body").cursor);
  await eventually(async () => assert.ok((await cursor()) > 2, "the cursor is there"));
  await finding.getByRole("button", { name: /Use .*GUEST:NAME/ }).click();
  await page.getByText('"guest": "Nora Vale"').waitFor();
  assert.equal(await written(page), '{\n  "guest": "*|GUEST:NAME|*"\n}');
  await finding.waitFor({ state: "detached" });
  assert.deepEqual(errors, []);
  await close();
});

test("The sample is chosen by event type, pasted or an edge case, and remembered with the template", async () => {
  const { page, errors, close } = await on.open(template("housekeeping"));
  await preview(page).waitFor();
  const type = page.getByLabel("Event type");
  await eventually(async () => assert.equal(await type.inputValue(), "booking.confirmed", "that of the trigger which uses it"));
  const kind = page.getByLabel("Sample");
  for (const [value, expected] of [
    ["quotes", "&lt;b&gt;"],
    ["empty", "<guest></guest>"],
    ["emoji", "👩‍👩‍👧‍👦"],
    ["long", "0123456789abcdef0123456789abcdef"],
  ]) {
    await kind.selectOption(value);
    await page.waitForFunction((text) => document.querySelector("[aria-label='What the receiver gets']").textContent.includes(text), expected);
  }
  await kind.selectOption("pasted");
  const data = page.getByRole("textbox", { name: "Data of the event, JSON" });
  await overwrite(page, data, '{"guest": {"name": "Pasted & Co"}}');
  await page.getByText("<guest>Pasted &amp; Co</guest>").waitFor();
  await overwrite(page, data, "[1]");
  await page.getByText("The data of an event is a JSON object").waitFor();
  await overwrite(page, data, '{"guest": {"name": "Kept"}}');
  await page.getByText("<guest>Kept</guest>").waitFor();
  await page.reload();
  await page.getByText("<guest>Kept</guest>").waitFor();
  assert.equal(await kind.inputValue(), "pasted");
  assert.deepEqual(errors, []);
  await close();
});

test("Drafts are kept, leaving warns, and a draft can be discarded", async () => {
  const { page, errors, close } = await on.open(template("bookkeeping"));
  await preview(page).waitFor();
  const before = (await saved("bookkeeping")).body;
  await write(page, "draft=*|GUEST:NAME|*");
  await page.getByText("draft=Nora").waitFor();
  await page.getByRole("link", { name: "Triggers" }).click();
  const question = page.getByRole("dialog");
  await question.getByText("What you wrote is not saved").waitFor();
  await question.getByRole("button", { name: "Stay" }).click();
  assert.match(page.url(), /page=template&id=bookkeeping/);
  await page.getByRole("link", { name: "Triggers" }).click();
  await question.getByRole("button", { name: "Leave" }).click();
  await page.getByRole("heading", { name: "Triggers" }).waitFor();
  await page.goBack();
  await page.getByText("Your unsaved draft was restored").waitFor();
  await page.getByText("draft=Nora").waitFor();
  const warned = new Promise((resolve) => page.once("dialog", (dialog) => resolve(dialog.type()) || dialog.accept()));
  await editor(page).click();
  await page.keyboard.type("x");
  await page.reload();
  assert.equal(await warned, "beforeunload");
  await page.getByText("Your unsaved draft was restored").waitFor();
  await page.getByRole("button", { name: "Discard the draft" }).click();
  await eventually(async () => assert.equal(await written(page), before));
  assert.equal((await saved("bookkeeping")).body, before, "nothing was saved");
  assert.deepEqual(errors, []);
  await close();
});

test("If somebody else saved meanwhile, both texts are shown and neither is lost", async () => {
  const { page, errors, close, expect } = await on.open(template("bookkeeping"));
  expect(/412/);
  await preview(page).waitFor();
  const theirs = { name: "Bookkeeping", format: "form", body: "theirs=*|GUEST:NAME|*" };
  await on.node.call("PUT", `/v1/accounts/${ACCOUNT}/templates/bookkeeping`, theirs);
  await write(page, "mine=*|GUEST:NAME|*");
  await page.getByText("mine=Nora").waitFor();
  await page.getByRole("button", { name: "Save changes", exact: true }).click();
  await page.getByRole("heading", { name: "Someone else has saved this meanwhile" }).waitFor();
  assert.match(await page.getByLabel("Yours", { exact: true }).innerText(), /mine=\*\|GUEST:NAME/);
  assert.match(await page.getByLabel("Saved meanwhile", { exact: true }).innerText(), /theirs=\*\|GUEST:NAME/);
  assert.equal((await saved("bookkeeping")).body, theirs.body, "theirs is not overwritten");
  await page.getByRole("button", { name: "Overwrite with mine" }).click();
  await page.getByText("Template saved").waitFor();
  assert.equal((await saved("bookkeeping")).body, "mine=*|GUEST:NAME|*");
  assert.deepEqual(errors, []);
  await close();
});

test("A template that the check refuses can't be saved, and the page lists the triggers that use it", async () => {
  const { page, errors, close } = await on.open(template("team-chat"));
  await preview(page).waitFor();
  await page.getByText("Used by 1 trigger").waitFor();
  assert.equal(await page.getByRole("link", { name: "Team chat" }).getAttribute("href"), `#account=${ACCOUNT}&page=trigger&id=team-chat`);
  const before = (await saved("team-chat")).body;
  const save = page.getByRole("button", { name: "Save changes", exact: true });
  await page.waitForFunction(() => !document.querySelector(".actions .primary").disabled);
  await write(page, '{"guest": *|NO:SUCH|*}');
  await page.locator(".findings li.error").first().waitFor();
  await eventually(async () => assert.equal(await save.isDisabled(), true));
  await editor(page).click();
  await page.keyboard.press("Control+s");
  await page.getByText("so it can't be saved yet").waitFor();
  assert.equal((await saved("team-chat")).body, before);
  assert.deepEqual(errors, []);
  await close();
});
