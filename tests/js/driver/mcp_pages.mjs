// Scenarios with the pages of the MCP examples, as they are, in Chromium.
import assert from "node:assert/strict";
import { close, shows, withPages } from "./chromium.mjs";
import { down, fitsEveryScreen, killAndStart, live } from "./pages.mjs";
import { until } from "./until.mjs";

export { close };

const toolsOf = (page) => page.$$eval("#tools b", (names) => names.map((name) => name.textContent));
const choose = (page, tool) => page.click(`[data-tool="${tool}"]`);
const submit = (page) => page.click("#form button[type=submit]");
const result = async (page) => JSON.parse(await page.textContent("#result"));

async function shopFor(page, recipe, people) {
  await choose(page, "shop_for");
  await page.fill("#form [name=recipe]", recipe);
  await page.fill("#form [name=people]", String(people));
  await submit(page);
}

// The server

export const tools_are_shown_and_called = ({ host }) => withPages(async (open) => {
  const page = await open(`http://${host}/`);
  await live(page);
  await until(async () => (await toolsOf(page)).length === 5, "the tools of the session");
  await choose(page, "find_recipes");
  await page.fill("#form [name=ingredient]", "eggs");
  await page.selectOption("#form [name=diet]", "vegetarian");
  await submit(page);
  await until(async () => (await page.textContent("#result")).includes("omelette"), "the recipes");
  await shopFor(page, "dal", 2);
  await until(() => page.isVisible("#progress"), "progress");
  await until(async () => (await page.textContent("#result")).includes("onions"), "the list");
  assert.deepEqual(await result(page), { "lentils (g)": 240, tomatoes: 4, onions: 1 });
  await shopFor(page, "gold", 2);
  await until(async () => (await page.textContent("#result")).includes("there are recipes of"), "what is wrong");
  await page.check("[value=stateless]");
  await until(async () => (await toolsOf(page)).length === 2, "the tools without a session");
  await choose(page, "scale");
  assert.equal(await page.inputValue("#form [name=people]"), "2");
  await page.fill("#form [name=recipe]", "omelette");
  await submit(page);
  await until(async () => (await page.textContent("#result")).includes("butter"), "the amounts");
});

export const server_asks_before_it_clears_the_list = ({ host }) => withPages(async (open) => {
  const page = await open(`http://${host}/`);
  await live(page);
  await shopFor(page, "omelette", 1);
  await until(async () => (await page.textContent("#result")).includes("butter"), "the list");
  await choose(page, "clear_list");
  await submit(page);
  await shows(page, "#question p", "Throw away 2 lines?");
  await page.click("#question button[type=submit]");
  await shows(page, "#result", "The list stays.");
  await submit(page);
  await page.check("#question [name=sure]");
  await page.click("#question button[type=submit]");
  await shows(page, "#result", "The list is empty.");
});

export const session_goes_on_when_the_server_is_killed = (given) => withPages(async (open, { context, weather }) => {
  const page = await open(`http://${given.host}/`);
  await live(page);
  await shopFor(page, "pancakes", 3);
  await until(async () => (await page.textContent("#result")).includes("milk"), "the list");
  await killAndStart(given, weather, [page], down, live);
  await choose(page, "shopping_list");
  await submit(page);
  await until(async () => (await page.textContent("#result")).includes("flour"), "the list after the kill");
  assert.deepEqual(await result(page), { "flour (g)": 300, "milk (ml)": 600, eggs: 3 });
  await page.reload();
  await live(page);
  await shopFor(page, "pancakes", 1);
  await until(async () => (await page.textContent("#result")).includes("400"), "the list after a reload");
  assert.equal(context.pages().length, 1);
});

export const full_page_of_the_server_fits = ({ host, pictures }) => withPages(async (open) => {
  const page = await open(`http://${host}/`);
  await live(page);
  await shopFor(page, "x".repeat(90), 2);
  await until(async () => (await page.textContent("#result")).includes("there are recipes of"), "what is wrong");
  await choose(page, "clear_list");
  await submit(page);
  await page.locator("#question").waitFor();
  await fitsEveryScreen(page, pictures);
});

// The client

const stateOf = (page, server) => page.locator(`[data-server="${server}"] .pill`).textContent();
const is = (page, server, state) => until(async () => (await page.locator(`[data-server="${server}"] .pill`).count()) && (await stateOf(page, server)) === state, `${server} to be ${state}`);
const consent = (page) => page.click('[data-server="vault"] a');
const look = async (page) => {
  await choose(page, "vault.look");
  await submit(page);
  await shows(page, "#result", "In the chest there are 42 gold coins of Ada.");
};

export const servers_are_added_used_and_left = ({ host, name }) => withPages(async (open) => {
  const [page, other] = [await open(`http://${host}/?name=${name}`), await open(`http://${host}/?name=${name}`)];
  for (const one of [page, other]) await live(one);
  await page.click("[data-name=words]");
  for (const one of [page, other]) await is(one, "words", "ready");
  await choose(other, "words.count");
  await other.fill("#form [name=text]", "to be or not");
  await submit(other);
  await until(async () => (await other.textContent("#result")).includes("letters"), "the answer");
  assert.deepEqual(await result(other), { words: 4, letters: 9 });
  await page.fill("#name", "nobody");
  await page.fill("#url", "http://127.0.0.1:9/mcp");
  await page.click("#add button[type=submit]");
  await until(async () => (await page.locator('[data-server="nobody"] .pill').count()) && (await stateOf(page, "nobody")) === "failed", "the failure", 25_000);
  assert.notEqual(await page.textContent('[data-server="nobody"] .error'), "");
  await page.click('[data-server="nobody"] [aria-label^=Leave]');
  await page.click('[data-server="words"] [aria-label^=Leave]');
  for (const one of [page, other]) await until(() => one.isVisible("#nothing"), "an empty list");
  assert.equal(await other.isVisible("#form"), false);
});

export const hub_is_let_in_when_the_server_is_killed = (given) => withPages(async (open, { weather }) => {
  const home = `http://${given.host}/?name=${given.name}`;
  const [page, other] = [await open(home), await open(home)];
  for (const one of [page, other]) await live(one);
  await page.click("[data-name=vault]");
  for (const one of [page, other]) await is(one, "vault", "authenticating");
  await consent(page);
  await page.locator("h1", { hasText: "The vault" }).waitFor();
  await killAndStart(given, weather, [other], down, live); // while the person reads the question
  await page.click("[value=yes]");
  await page.waitForURL(home);
  for (const one of [page, other]) await is(one, "vault", "ready");
  await look(page);
  await killAndStart(given, weather, [page, other], down, live);
  for (const one of [page, other]) await is(one, "vault", "ready");
  await look(other);
});

export const hub_is_kept_out_and_asks_again = (given) => withPages(async (open) => {
  const page = await open(`http://${given.host}/?name=${given.name}`);
  await live(page);
  await page.click("[data-name=vault]");
  await is(page, "vault", "authenticating");
  await consent(page);
  await page.click("[value=no]");
  await live(page);
  assert.match(await page.textContent("#problem"), /^You were sent back: /);
  await is(page, "vault", "failed");
  await page.click('[data-server="vault"] >> text=Try again');
  await is(page, "vault", "authenticating");
  await consent(page);
  await page.click("[value=yes]");
  await is(page, "vault", "ready");
  await look(page);
});

export const full_page_of_the_hub_fits = ({ host, name, pictures }) => withPages(async (open) => {
  const page = await open(`http://${host}/?name=${name}`);
  await live(page);
  await page.fill("#name", "x".repeat(40));
  await page.fill("#url", `http://${host}/words/mcp`);
  await page.click("#add button[type=submit]");
  for (const server of ["words", "vault"]) await page.click(`[data-name=${server}]`);
  await is(page, "words", "ready");
  await is(page, "vault", "authenticating");
  await choose(page, "words.shout");
  await page.fill("#form [name=text]", "a-very-long-word".repeat(9));
  await submit(page);
  await until(async () => (await page.textContent("#result")).includes("WORD!"), "the answer");
  await fitsEveryScreen(page, pictures);
});
