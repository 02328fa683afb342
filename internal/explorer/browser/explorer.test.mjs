// Opens the explorer in a real browser, with no network but this machine, and does in it what people do: switch the
// persona, run examples, read why something was refused, follow a stream. A request to anywhere else fails it, and so
// does whatever the page's security policy had to stop.
//
//	GUANXI=path/to/guanxi npm run browser
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];

// demo runs a gateway and answers where it listens.
async function demo(t, ...more) {
  const gateway = spawn(process.env.GUANXI, ["serve", "--demo", "--listen", "127.0.0.1:0", "--log-level", "warn", ...more], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => gateway.on("exit", resolve));
  t.after(async () => {
    gateway.kill();
    await ended;
  });
  for await (const line of createInterface({ input: gateway.stdout })) {
    const [, url] = /listening on (\S+)/.exec(line) ?? [];
    if (url) return url;
  }
  throw new Error("the gateway did not start");
}

// open opens the explorer and watches where it goes.
async function open(t, url, settings = {}) {
  const browser = await chromium.launch({ executablePath, args });
  t.after(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1400, height: 860 }, ...settings });
  const page = await context.newPage();
  const wrong = [];
  const own = new URL(url).host;
  context.on("request", (r) => {
    if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).host !== own) wrong.push(`a request to ${r.url()}`);
  });
  page.on("websocket", (w) => new URL(w.url()).host !== own && wrong.push(`a socket to ${w.url()}`));
  page.on("pageerror", (e) => wrong.push(`an error: ${e.message}`));
  page.on("console", (m) => m.type() === "error" && wrong.push(`on the console: ${m.text()}`));
  await page.goto(url);
  await page.waitForSelector("[data-example]");
  return { page, wrong };
}

async function pick(page, example) {
  await page.click(`[data-example="${example}"]`);
  await page.waitForFunction((e) => document.querySelector(`[data-example="${e}"]`).getAttribute("aria-current") === "true", example);
  await page.waitForFunction(() => /(query|mutation|subscription) /.test(document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror.getValue()));
  await page.waitForTimeout(300); // its variables are looked up
}

const answer = (page) => page.evaluate(() => document.querySelector(".result-window .CodeMirror").CodeMirror.getValue());

async function runs(page, holds) {
  await page.click(".graphiql-execute-button");
  await page.waitForFunction((text) => document.querySelector(".result-window .CodeMirror")?.CodeMirror.getValue().includes(text), holds);
}

test("a persona runs an example and sees why it was refused", async (t) => {
  const { page, wrong } = await open(t, await demo(t), { locale: "en-US" });
  await runs(page, "UNAUTHENTICATED"); // nobody is signed in
  await page.selectOption(".who select", "zhaomin003");
  await runs(page, "赵敏");

  await pick(page, "04-refusal");
  assert.equal(await page.inputValue(".who select"), "wangfang004");
  await runs(page, "POLICY_DENIED");
  const text = await answer(page);
  for (const part of ['"name": "C-01"', '"file": "authz/policies/guard.csv"', '"line": 9']) assert.ok(text.includes(part), text);
  const verdict = await page.innerText(".verdict.deny");
  for (const part of ["Refused", "The reporting line stays open", "C-01", "authz/policies/guard.csv:9"]) assert.ok(verdict.includes(part), verdict);

  // The token is nowhere but in memory.
  const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie, location.href]));
  assert.ok(!/eyJ|Bearer/.test(kept), kept);
  assert.deepEqual(wrong, []);
});

test("a subscription shows what happens elsewhere", async (t) => {
  const url = await demo(t);
  const { page, wrong } = await open(t, url, { locale: "en-US" });
  await pick(page, "07-watch");
  await page.click(".graphiql-execute-button");
  const second = await open(t, url, { locale: "en-US" });
  await pick(second.page, "03-block");
  await runs(second.page, '"ALLOW"');
  await page.waitForFunction(() => document.querySelector(".result-window .CodeMirror").CodeMirror.getValue().includes("李强"));
  assert.match(await answer(page), /"state": "ACTIVE"/);
  assert.deepEqual([...wrong, ...second.wrong], []);
});

test("it speaks Chinese to a Chinese browser, and is dark in the dark", async (t) => {
  const { page, wrong } = await open(t, await demo(t), { locale: "zh-CN", colorScheme: "dark" });
  assert.equal(await page.innerText('[data-example="04-refusal"] span'), "一次说明理由的拒绝");
  await pick(page, "04-refusal");
  await runs(page, "上下级之间须保持沟通");
  assert.match(await page.innerText(".verdict.deny"), /已拒绝/);
  const [r, g, b] = (await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g).map(Number);
  assert.ok(r + g + b < 200, `${r} ${g} ${b}`);
  assert.deepEqual(wrong, []);
});

test("on a real server a token is typed in, and kept in memory only", async (t) => {
  const url = await demo(t);
  const [, , , wang] = await (await fetch(`${url}/demo/personas`)).json();
  const { page, wrong } = await open(t, url, { locale: "en-US" });
  await page.route("**/explorer/settings.json", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), demo: false } });
  });
  await page.reload();
  await page.fill(".who input", wang.token);
  await runs(page, wang.name);
  const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie, location.href]));
  assert.ok(!kept.includes(wang.token.slice(0, 20)), kept);
  await page.reload();
  assert.equal(await page.inputValue(".who input"), "");
  assert.deepEqual(wrong, []);
});
