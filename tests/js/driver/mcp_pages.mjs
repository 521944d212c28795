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
