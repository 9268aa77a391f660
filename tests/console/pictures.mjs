// The README's two pictures, rendered small: `scripts/console --pictures`.

import { ACCOUNT, OPERATOR, event, fill, openPage, startBrowser, startNode, startReceiver } from "./support.mjs";

const [folder] = process.argv.slice(2);
const [node, receiver, browser] = await Promise.all([startNode(), startReceiver(), startBrowser()]);
try {
  await fill(node, receiver);
  const small = { viewport: { width: 1280, height: 760 }, deviceScaleFactor: 0.75 };
  const look = (hash, colorScheme) => openPage(browser, node, { key: OPERATOR, hash, ...small, colorScheme });
  const writing = await look(`#account=${ACCOUNT}&page=template&id=team-chat`, "light");
  await writing.page.getByLabel("What the receiver gets").waitFor();
  await writing.page.evaluate(() => {
    const editor = document.querySelector("ph-editor.body");
    editor.value = editor.value.replace('"arrive"', '"guest": "*|GUEST:NMAE|*",\n  "arrive"');
  });
  await writing.page.locator(".findings li.error").waitFor();
  await writing.page.screenshot({ path: `${folder}/console-template.png` });
  const watching = await look(`#account=${ACCOUNT}&page=activity`, "dark");
  await watching.page.locator(".live.live").waitFor();
  const day = [["inquiry.created", 204], ["booking.confirmed", 204], ["invoice.paid", 404], ["inquiry.created", 204], ["invoice.paid", 204], ["booking.confirmed", 500], ["inquiry.created", 204], ["inquiry.created", 204], ["booking.confirmed", 204]];
  for (const [i, [type, status]] of day.entries()) {
    receiver.behaviour.status = status;
    await node.call("POST", "/v1/events", event(type, { inquiry: { cost: 2000 }, rental: { id: "r1" } }));
    await watching.page.waitForFunction((number) => document.querySelectorAll(".firings tbody tr").length === number, i + 1);
  }
  await watching.page.screenshot({ path: `${folder}/console-activity.png` });
} finally {
  await browser.close();
  await Promise.all([node.stop(), receiver.stop()]);
}
