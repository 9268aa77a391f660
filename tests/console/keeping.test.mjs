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
