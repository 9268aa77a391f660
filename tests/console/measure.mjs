// How long after a key the preview shows what it changed, on a local node: `scripts/bench preview`. Never part of
// scripts/test.

import { ACCOUNT, CHAT, accountKey, fill, openPage, startBrowser, startNode, startReceiver } from "./support.mjs";

const KEYS = Number(process.argv[2] ?? 100);
const [node, receiver, browser] = await Promise.all([startNode(), startReceiver(), startBrowser()]);
try {
  await fill(node, receiver);
  // Nearly as large as a template may be, and a usual one. The large one also with a mistake in each tenth line, which
  // can't be saved, so it is put into the editor.
  const line = (i) => `"line${i}": "*|GUEST:NAME|* {{inquiry.nights}} {{date inquiry.arrive "%d %b"}} ${"lorem ipsum ".repeat(10)}"`;
  const large = `{${Array.from({ length: 320 }, (_, i) => line(i)).join(",\n")}}`;
  await node.call("PUT", `/v1/accounts/${ACCOUNT}/templates/large`, { format: "json", body: large });
  const mistaken = large.replace(/("line\d*0": ")\*\|GUEST:NAME\|\*/g, "$1{{guest.name | upcase}}");
  const key = await accountKey(node);
  for (const [id, name, body] of [
    ["team-chat", `usual, ${CHAT.body.length} bytes`],
    ["large", `large, ${large.length} bytes`],
    ["large", "large, with mistakes", mistaken],
  ]) {
    const { page } = await openPage(browser, node, { key, hash: `#account=${ACCOUNT}&page=template&id=${id}` });
    await page.getByLabel("What the receiver gets").waitFor();
    if (body !== undefined) await page.evaluate((body) => (document.querySelector("ph-editor.body").value = body), body);
    await page.evaluate(() => document.querySelector("ph-editor.body").show(document.querySelector("ph-editor.body").value.indexOf('": "') + 4));
    const took = [];
    for (let i = 0; i < KEYS; i++) {
      await page.evaluate(() => performance.clearMarks());
      await page.keyboard.type(String(i % 10));
      await page.waitForFunction(() => performance.getEntriesByName("posthaste:preview").length > 0, null, { polling: "raf" });
      took.push(await page.evaluate(() => performance.getEntriesByName("posthaste:preview")[0].startTime - performance.getEntriesByName("posthaste:key")[0].startTime));
    }
    took.sort((a, b) => a - b);
    const at = (part) => took[Math.min(took.length - 1, Math.floor(took.length * part))].toFixed(0);
    console.log(`${name.padEnd(24)} p50 ${at(0.5)} ms  p95 ${at(0.95)} ms  slowest ${at(1)} ms  (${KEYS} keys, with the ${30} ms pause)`);
    await page.context().close();
  }
} finally {
  await browser.close();
  await Promise.all([node.stop(), receiver.stop()]);
}
