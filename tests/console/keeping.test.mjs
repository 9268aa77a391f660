// What someone has written is saved as it is, or kept.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCOUNT, setUp } from "./support.mjs";

const on = setUp();

const trigger = (id) => `#account=${ACCOUNT}&page=trigger&id=${id}`;
const path = (kind, id) => `/v1/accounts/${ACCOUNT}/${kind}s/${id}`;
const saved = (kind, id) => on.node.call("GET", path(kind, id));
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
