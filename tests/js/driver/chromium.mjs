// Headless Chromium for scenarios: one browser, a fresh profile in memory for each scenario.
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const LIMIT_MS = 10_000;
let browser = null;

/** Runs `work` with a function that opens pages. Afterwards every page must have been free of errors. */
export async function withPages(work, options = {}) {
  browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(LIMIT_MS);
  const problems = [];
  const weather = { serverMayBeDown: false }; // a failed connection is no error while the scenario keeps the server down
  const watch = (page) => {
    page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.stack ?? error}`));
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      if (weather.serverMayBeDown && /WebSocket connection to .* failed|net::ERR_/.test(message.text())) return;
      problems.push(`${page.url()}: console.${message.type()}: ${message.text()} (${message.location().url})`);
    });
    page.on("response", (response) => { if (response.status() >= 400) problems.push(`${response.url()}: ${response.status()}`); });
  };
  context.on("page", watch);
  const open = async (url) => {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  };
  try {
    await work(open, { context, weather });
  } catch (error) {
    error.stack += problems.map((problem) => `\nalso: ${problem}`).join("");
    throw error;
  } finally {
    await context.close();
  }
  if (problems.length) throw new Error(`problems in the pages:\n${problems.join("\n")}`);
}

/** Waits until `selector` shows `text`. */
export async function shows(page, selector, text) {
  try {
    await page.waitForFunction(([query, wanted]) => document.querySelector(query)?.textContent.trim() === wanted, [selector, String(text)], { polling: 20 });
  } catch {
    const found = await page.evaluate((query) => document.querySelector(query)?.textContent, selector);
    throw new Error(`${page.url()}: ${selector} shows ${JSON.stringify(found)}, not ${JSON.stringify(String(text))}`);
  }
}

export const close = async () => browser?.close();
