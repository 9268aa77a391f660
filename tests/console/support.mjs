// A node, a receiver and a browser for the console's tests. All of it on loopback; everything ends with the test.

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { createServer as createListener } from "node:net";
import { dirname, resolve } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
// The packages are installed beside the build, outside the sources.
const require = createRequire(pathToFileURL(resolve(root, "target/console/package.json")));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const OPERATOR = "operator-key-for-tests";
export const ACCOUNT = "casa-lavanda";
export const OUTPUT = resolve(root, process.env.CONSOLE_OUTPUT ?? "target/console/output");
const BINARY = resolve(root, process.env.POSTHASTE ?? "target/debug/posthaste");
/** Longer than anything takes on a machine that has other work. */
const DEADLINE_MS = 60_000;

/**
 * Waits until a check passes. What a page shows follows from requests that it makes by itself, so a check that is made
 * once could come before or after any of them.
 */
export async function eventually(check) {
  const end = Date.now() + DEADLINE_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((done) => setTimeout(done, 25));
  }
}

/** A port that nothing listens on. */
export async function freePort() {
  const server = createListener();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** A Redis server on this port, which keeps nothing. */
export async function startRedis(port) {
  const child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => String(chunk).includes("Ready to accept connections") && resolve());
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`redis-server ended with ${code}`)));
  });
  const stop = () =>
    new Promise((done) => {
      if (child.exitCode !== null) return done();
      child.on("exit", done);
      child.kill("SIGKILL");
    });
  ends.push(stop);
  return { stop };
}

/** Ends whatever a test has started and, as it failed, not ended itself: else the run would never end. */
const ends = [];

/** What the tests of a file share: a node with an account that has been used, its key, a receiver and a browser. */
export function setUp(settings = {}) {
  const own = {};
  before(async () => {
    [own.node, own.receiver, own.browser] = await Promise.all([startNode(settings), startReceiver(), startBrowser()]);
    await fill(own.node, own.receiver);
    own.key = await accountKey(own.node);
  });
  after(async () => {
    await Promise.all(ends.splice(0).map((end) => end()));
  });
  /** A page of the account, opened with its key, or with another or none. */
  own.open = (hash, options = {}) => openPage(own.browser, options.node ?? own.node, { key: own.key, hash, ...options });
  return own;
}

/** Writes in place of all that is in a field or an editor. */
export async function overwrite(page, field, text) {
  await field.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(text);
}

/** A node that keeps its store in memory, with the dictionary that is compiled in. */
export async function startNode(settings = {}) {
  const environment = {
    PATH: process.env.PATH,
    POSTHASTE_STORE__URL: "memory:",
    POSTHASTE_SERVER__LISTEN: "127.0.0.1:0",
    POSTHASTE_SERVER__WORKERS: "1",
    POSTHASTE_DISPATCH__ALLOW_NETWORKS: '["127.0.0.0/8"]',
    POSTHASTE_AUTH__OPERATOR_KEY: OPERATOR,
    POSTHASTE_LOG__LEVEL: "warn",
    ...(process.env.CONSOLE_DIR ? { POSTHASTE_CONSOLE__DIR: process.env.CONSOLE_DIR } : {}),
    ...settings,
  };
  const child = spawn(BINARY, ["serve"], { cwd: resolve(root, "target/console"), env: environment, stdio: ["ignore", "pipe", "inherit"] });
  const url = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      const found = /listening on (http:\/\/[\d.:]+)/.exec(text);
      if (found) resolve(found[1]);
    });
    child.on("exit", (code) => reject(new Error(`the node ended with ${code} before it listened: ${text}`)));
    setTimeout(() => reject(new Error("the node does not listen")), DEADLINE_MS).unref();
  });
  const call = async (method, path, body, key = OPERATOR, headers = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const json = text ? JSON.parse(text) : null;
    if (!response.ok) throw Object.assign(new Error(`${method} ${path}: ${response.status} ${text}`), { status: response.status, json });
    return json;
  };
  const stop = () =>
    new Promise((done) => {
      if (child.exitCode !== null) return done();
      child.on("exit", done);
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), 5_000).unref();
    });
  ends.push(stop);
  return { url, call, stop, child };
}

/** A receiver whose response can be changed. */
export async function startReceiver() {
  const received = [];
  const behaviour = { status: 204 };
  const waiting = [];
  /** Responds to what it was silent to. */
  const respond = () => waiting.splice(0).forEach((own) => own());
  const own = { received, behaviour, responded: 0, respond };
  const server = createServer((request, response) => {
    response.on("finish", () => own.responded++);
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      received.push({ path: request.url, headers: request.headers, body });
      const respond = () => response.writeHead(behaviour.status).end();
      if (behaviour.silent) waiting.push(respond);
      else respond();
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  ends.push(stop);
  return Object.assign(own, { url: `http://127.0.0.1:${server.address().port}`, stop });
}

/** A key of an account. */
export async function accountKey(node, account = ACCOUNT) {
  return (await node.call("POST", "/v1/keys", { name: "tests", scope: "account", account })).key;
}

function executable() {
  const found = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));
  if (!found) throw new Error("no Chromium is here; scripts/test installs it");
  return found;
}

/** The browser asks for names of its maker otherwise. `name` is another one for this machine. */
export async function startBrowser(name = "localhost") {
  const names = `--host-resolver-rules=MAP ${name} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1`;
  const quiet = ["--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run", "--disable-component-update"];
  const browser = await chromium.launch({ executablePath: executable(), args: [...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), ...quiet, names] });
  ends.push(() => browser.close());
  return browser;
}

/** A page that notes whatever must never happen: a console error, a policy report, a request off the origin. */
export async function openPage(browser, node, options = {}) {
  const { hash = "", key = null, node: _, ...context } = options;
  const own = await browser.newContext({ viewport: { width: 1440, height: 900 }, permissions: ["clipboard-read", "clipboard-write"], ...context });
  own.setDefaultTimeout(DEADLINE_MS);
  const page = await own.newPage();
  const errors = [];
  const expected = [];
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    if (!expected.some((pattern) => pattern.test(message.text()))) errors.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => errors.push(`page: ${error.stack}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(node.url) && !request.url().startsWith("data:")) errors.push(`off the origin: ${request.url()}`);
    if (key && request.url().includes(key)) errors.push(`the key in an address: ${request.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  if (key) await page.addInitScript((text) => sessionStorage.getItem("posthaste:key") ?? sessionStorage.setItem("posthaste:key", text), key);
  await page.goto(`${node.url}/console${hash}`);
  return {
    page,
    errors,
    /** The browser itself reports responses that are no success; those that a test causes are not errors. */
    expect: (...patterns) => expected.push(...patterns),
    close: () => own.close(),
  };
}

/** What axe finds that is serious or worse. */
export async function inspect(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const bad = violations.filter((own) => ["serious", "critical"].includes(own.impact));
  return bad.map((own) => `${own.id}: ${own.help}: ${own.nodes.slice(0, 4).map((part) => `${part.target} ${part.any[0]?.message ?? ""}`).join(" | ")}`);
}

export const CHAT = {
  name: "Team chat",
  format: "json",
  body: `{
  "text": "New inquiry from *|GUEST:NAME|* for {{rental.name}}",
  "nights": {{inquiry.nights}},
  {{#if inquiry.notes}}"note": "{{inquiry.notes}}",{{/if}}
  "arrive": "{{date inquiry.arrive "%d %b %Y"}}"
}`,
};

/** What an account has after some weeks of use. */
export async function fill(node, receiver, account = ACCOUNT) {
  const base = `/v1/accounts/${account}`;
  const templates = {
    "team-chat": CHAT,
    housekeeping: {
      name: "Housekeeping",
      format: "xml",
      body: `<?xml version="1.0" encoding="UTF-8"?>\n<booking id="*|INQUIRY:INQUIRY_ID|*">\n  <guest>*|GUEST:NAME|*</guest>\n  <stay arrive="{{inquiry.arrive}}" depart="{{inquiry.depart}}"/>\n</booking>`,
    },
    bookkeeping: { name: "Bookkeeping", format: "form", body: "invoice=*|INVOICE:ID|*&amount=*|INVOICE:AMOUNT|*&payer=*|GUEST:NAME|*" },
  };
  for (const [id, template] of Object.entries(templates)) await node.call("PUT", `${base}/templates/${id}`, template);
  const triggers = {
    "team-chat": { name: "Team chat", event: "inquiry.*", template: "team-chat", url: `${receiver.url}/chat` },
    housekeeping: {
      name: "Housekeeping",
      event: "booking.confirmed",
      template: "housekeeping",
      url: `${receiver.url}/housekeeping`,
      where: { inquiry: { cost: [{ numeric: [">", 1000] }] }, rental: { id: ["r1"] } },
      headers: { "X-Team": "linen and keys" },
      secret: "whsec_cG9zdGhhc3RlLXRlc3RzLW9ubHktbm90LWEtc2VjcmV0",
    },
    bookkeeping: { name: "Bookkeeping", event: "invoice.paid", template: "bookkeeping", url: `${receiver.url}/books` },
  };
  for (const [id, trigger] of Object.entries(triggers)) await node.call("PUT", `${base}/triggers/${id}`, trigger);
}

export function event(type, data, account = ACCOUNT) {
  return { type, account, data };
}
