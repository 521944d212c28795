// Scenarios with the example pages, as they are, in Chromium.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { close, shows, withPages } from "./chromium.mjs";
import { pause, until } from "./until.mjs";

export { close };

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE = { viewport: { width: 390, height: 844 } };
const NARROW = { viewport: { width: 320, height: 640 } };

/** Kills the server, waits until `page` has noticed, starts it again and waits until all `pages` are back. */
export async function killAndStart({ ask }, weather, pages, isDown, isUp) {
  weather.serverMayBeDown = true;
  await ask("kill");
  for (const page of pages) await isDown(page);
  await ask("start");
  for (const page of pages) await isUp(page);
  await pause(200); // what Chromium still has to say about its last failed attempt
  weather.serverMayBeDown = false;
}

export const live = (page) => shows(page, "#status", "live");
export const down = (page) => shows(page, "#status", "reconnecting …");

async function fitsTheWidth(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `${page.url()} scrolls sideways: ${content} px in a window of ${window} px`);
}

/** What a checker for the WCAG rules finds in a page and its frames. */
async function isAccessible(page) {
  for (const frame of page.frames()) {
    await frame.evaluate(axe);
    const { violations } = await frame.evaluate(() => window.axe.run(document, { resultTypes: ["violations"], iframes: false }));
    const found = violations.map(({ id, help, nodes }) => `${id} (${help}): ${nodes.map(({ html }) => html).join("  ")}`);
    assert.deepEqual(found, [], frame.url());
  }
}

async function picture(page, folder, name) {
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

export async function fitsEveryScreen(page, pictures) {
  for (const [name, { viewport }] of Object.entries({ desktop: { viewport: { width: 1280, height: 800 } }, phone: PHONE, narrow: NARROW })) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await pause(100);
      for (const frame of page.frames()) if (frame !== page.mainFrame()) await fitsTheWidth(frame);
      await fitsTheWidth(page);
      if (name !== "narrow") await isAccessible(page);
      await picture(page, pictures, `${name}-${colorScheme}`);
    }
  }
}

// The counter

export const counter_in_two_tabs = ({ host, name }) => withPages(async (open) => {
  const ada = await open(`http://${host}/?name=${name}&who=Ada`);
  const grace = await open(`http://${host}/?name=${name}&who=Grace`);
  for (const page of [ada, grace]) await shows(page, "#count", 0);
  for (const page of [ada, grace]) await shows(page, "#online", "2 connected");
  for (let clicks = 0; clicks < 3; clicks++) await ada.click("#plus");
  await shows(grace, "#count", 3);
  await grace.click("#minus");
  for (const page of [ada, grace]) {
    await shows(page, "#count", 2);
    await shows(page, "#by", "last changed by Grace");
    assert.deepEqual(await page.$$eval("#history span", (spans) => spans.map((span) => span.textContent)), ["Grace −1", "Ada +1", "Ada +1", "Ada +1"]);
  }
  await grace.keyboard.press("ArrowDown");
  await grace.keyboard.press("ArrowDown");
  await grace.keyboard.press("ArrowDown");
  await shows(ada, "#count", "−1");
  await grace.close();
  await shows(ada, "#online", "1 connected");
});

export const counter_is_optimistic = ({ host, name }) => withPages(async (open) => {
  const page = await open(`http://${host}/?name=${name}`);
  await shows(page, "#count", 0);
  const shown = await page.evaluate(async () => {
    document.getElementById("plus").click();
    document.getElementById("plus").click();
    await new Promise(requestAnimationFrame); // drawn with the next frame, before any answer
    return [document.getElementById("count").textContent, document.getElementById("by").textContent];
  });
  assert.deepEqual(shown, ["2", "saving …"]);
  await until(async () => (await page.textContent("#by")).startsWith("last changed by"), "the confirmation");
  await shows(page, "#count", 2);
});

export const counter_when_the_server_is_killed = (given) => withPages(async (open, { weather }) => {
  const { host, name } = given;
  const pages = [await open(`http://${host}/?name=${name}&who=Ada`), await open(`http://${host}/?name=${name}&who=Grace`)];
  const [ada, grace] = pages;
  await live(ada);
  await ada.click("#plus");
  await shows(grace, "#count", 1);
  await killAndStart(given, weather, pages, down, live);
  for (const page of pages) await shows(page, "#count", 1);
  for (const page of pages) await shows(page, "#online", "2 connected");
  await grace.click("#plus");
  await shows(ada, "#count", 2);
  assert.equal(await ada.locator("#history li").count(), 2);
});

// The chat room

const say = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};
const messages = (page) => page.$$eval("#messages [data-who]", (items) => items.map((item) => [item.dataset.who, item.querySelector("p").textContent]));
const sees = (page, wanted) => until(async () => JSON.stringify(await messages(page)) === JSON.stringify(wanted), `the messages ${JSON.stringify(wanted)}`);
const people = (page) => page.$$eval("#people li", (items) => items.map((item) => item.lastChild.textContent || item.childNodes[1].textContent).sort());

export const chat_in_two_tabs = ({ host, name }) => withPages(async (open) => {
  const ada = await open(`http://${host}/?name=${name}&who=Ada`);
  const grace = await open(`http://${host}/?name=${name}&who=Grace`);
  for (const page of [ada, grace]) await until(async () => String(await people(page)) === "Ada,Grace", "both people");
  await say(ada, "Hello <b>Grace</b>");
  await say(grace, "Hello Ada");
  for (const page of [ada, grace]) await sees(page, [["Ada", "Hello <b>Grace</b>"], ["Grace", "Hello Ada"]]);
  const late = await open(`http://${host}/?name=${name}&who=Alan`);
  await sees(late, [["Ada", "Hello <b>Grace</b>"], ["Grace", "Hello Ada"]]);
  await late.fill("#who", "Alan T.");
  await late.press("#who", "Enter");
  await until(async () => String(await people(ada)) === "Ada,Alan T.,Grace", "the new name");
  await late.close();
  await until(async () => String(await people(ada)) === "Ada,Grace", "the two who stayed");
});

export const chat_shows_who_is_typing = ({ host, name }) => withPages(async (open) => {
  const ada = await open(`http://${host}/?name=${name}&who=Ada`);
  const grace = await open(`http://${host}/?name=${name}&who=Grace`);
  await until(async () => (await people(ada)).length === 2, "both people");
  await ada.type("#text", "Let me think");
  const typing = grace.locator("#people li", { hasText: "Ada" }).locator(".dots");
  await typing.waitFor();
  await say(ada, "No.");
  await typing.waitFor({ state: "detached" });
});

export const chat_bot_streams = ({ host, name }) => withPages(async (open) => {
  const ada = await open(`http://${host}/?name=${name}&who=Ada`);
  const grace = await open(`http://${host}/?name=${name}&who=Grace`);
  await until(async () => (await people(ada)).length === 2, "both people");
  await ada.fill("#text", "How many?");
  await ada.click("#ask");
  const draft = ada.locator("#messages .writing p");
  await draft.waitFor();
  const lengths = new Set();
  await until(async () => {
    const text = await draft.textContent({ timeout: 300 }).catch(() => null);
    if (text) lengths.add(text.length);
    return text === null;
  }, "the end of the answer", 15_000);
  assert.ok(lengths.size > 3, `the answer grew in ${lengths.size} steps only`);
  for (const page of [ada, grace]) {
    await until(async () => (await messages(page)).length === 2, "the question and the answer");
    const [question, [who, answer]] = await messages(page);
    assert.deepEqual(question, ["Ada", "How many?"]);
    assert.equal(who, "Bot");
    assert.match(answer, /You asked “How many\?”.* Rows in my table: 1\. Names among them: 1\. Windows open right now: 2\./);
  }
});

export const chat_when_the_server_is_killed = (given) => withPages(async (open, { weather }) => {
  const { host, name } = given;
  const pages = [await open(`http://${host}/?name=${name}&who=Ada`), await open(`http://${host}/?name=${name}&who=Grace`)];
  const [ada, grace] = pages;
  await live(ada);
  await say(ada, "Before");
  await sees(grace, [["Ada", "Before"]]);
  await killAndStart(given, weather, pages, down, live);
  for (const page of pages) await until(async () => String(await people(page)) === "Ada,Grace", "both people");
  await say(grace, "After");
  for (const page of pages) await sees(page, [["Ada", "Before"], ["Grace", "After"]]);
});

// The reminders

const steps = (page) => page.$$eval("#steps .done", (items) => items.map((item) => item.textContent));
const saidBy = (page, who) => page.$$eval(`#messages .${who}`, (items) => items.map((item) => item.textContent.trim()));
const comingUp = (page) => page.$$eval("#pending li", (items) => items.map((item) => item.querySelector("span").textContent));
const listIs = (page, wanted) => until(async () => String(await comingUp(page)) === wanted, `the list “${wanted}”`);
const BREAD = ["Weigh", "Knead", "Let rise", "Shape", "Bake", "Cool"];

export const reminder_is_made_rings_and_is_cancelled = ({ host, name }) => withPages(async (open) => {
  const page = await open(`http://${host}/?name=${name}`);
  const other = await open(`http://${host}/?name=${name}`);
  await live(page);
  await live(other);
  await say(page, "remind me in 2 s to drink <b>tea</b>");
  for (const one of [page, other]) await listIs(one, "drink <b>tea</b>");
  assert.match(await page.textContent("#pending time"), /^(in [12] s|now)$/);
  for (const one of [page, other]) {
    await one.locator("#messages .bell", { hasText: "drink <b>tea</b>" }).waitFor();
    await listIs(one, "");
    await shows(one, "#nothing", "Nothing will ring.");
  }
  assert.deepEqual(await saidBy(page, "bell"), ["drink <b>tea</b>"]);
  await page.click("text=Weekdays at 9");
  for (const one of [page, other]) await listIs(one, "stand up");
  assert.match(await page.textContent("#pending small"), / · every weekday at 9:00$/);
  await page.click("#pending button");
  for (const one of [page, other]) await listIs(one, "");
  await say(other, "hello");
  await page.locator("#messages .agent", { hasText: "I know" }).waitFor();
});

export const bread_is_baked_when_the_server_is_killed = (given) => withPages(async (open, { weather }) => {
  const { host, name } = given;
  const page = await open(`http://${host}/?name=${name}`);
  await live(page);
  await say(page, "remind me in 2 h to go to bed");
  await page.click("text=Weekdays at 9");
  await page.waitForFunction(() => document.querySelectorAll("#pending li").length === 2);
  const list = (await comingUp(page)).join();
  await page.click("text=Bake bread");
  await until(async () => (await steps(page)).length === 2, "the second step");
  await killAndStart(given, weather, [page], down, live);
  const seen = [];
  await until(async () => {
    seen.push((await steps(page)).length);
    return seen.at(-1) === BREAD.length;
  }, "the bread", 20_000);
  assert.ok(seen[0] >= 2, `it began again, with ${seen[0]} steps done`);
  assert.ok(new Set(seen).size > 2, `no progress was seen: ${[...new Set(seen)]}`);
  assert.deepEqual(await steps(page), BREAD);
  await shows(page, "#jobTitle", "Bread is ready");
  await page.locator("#messages .agent", { hasText: "The bread is ready." }).waitFor();
  await listIs(page, list);
  await page.reload();
  await listIs(page, list);
  assert.deepEqual(await steps(page), BREAD);
  assert.deepEqual((await saidBy(page, "agent")).slice(2), ["I start at once.", "The bread is ready."]);
  assert.deepEqual(await saidBy(page, "bell"), []);
});

/** With much to show, as the empty page is tried like every other. */
export const full_page_of_reminders_fits = ({ host, name, pictures }) => withPages(async (open) => {
  const page = await open(`http://${host}/?name=${name}`);
  await live(page);
  await say(page, "remind me in 1 s to drink tea");
  await page.locator("#messages .bell").waitFor();
  for (const text of ["in 5 min to call Grace", `in 3 h to read ${"a-very-long-word".repeat(9)}`, "every weekday at 9 to stand up", "bake bread"]) await say(page, text);
  await page.locator("#steps .now:nth-child(3)").waitFor();
  await page.locator("#messages .agent", { hasText: "I start at once." }).waitFor();
  await fitsEveryScreen(page, pictures);
});

// The orders that wait for a person

const orders = (page) => page.$$eval("#orders > li", (items) => items.map((item) => [
  item.querySelector("b").textContent,
  [...item.querySelectorAll(".done")].map((step) => step.textContent).join(" "),
  item.querySelector(".end")?.textContent ?? (item.querySelector(".ask") ? "?" : ""),
]));
const ordersAre = (page, wanted) => until(async () => JSON.stringify(await orders(page)) === JSON.stringify(wanted), `the orders ${JSON.stringify(wanted)}`, 20_000);
const order = (page, item) => page.click(`#goods [data-item="${item}"]`);
const DELIVERED = "Reserved Asked Approved Charged Shipped";

export const orders_are_approved_and_refused = ({ host, name }) => withPages(async (open) => {
  const page = await open(`http://${host}/?name=${name}&who=Ada`);
  const other = await open(`http://${host}/?name=${name}&who=Grace`);
  await live(page);
  await live(other);
  await order(page, "tea");
  for (const one of [page, other]) await ordersAre(one, [["tea", "Reserved Charged Shipped", "Delivered"]]);
  await order(page, "espresso machine");
  await page.locator("#orders .ask").waitFor();
  await order(page, "espresso machine");
  await until(async () => (await other.locator("#orders .ask").count()) === 2, "two questions");
  await other.locator("#orders .no").first().click();
  await page.locator("#orders .yes").last().click();
  for (const one of [page, other]) await ordersAre(one, [
    ["espresso machine", "Reserved Asked Released", "Cancelled: Grace said no"],
    ["espresso machine", DELIVERED, "Delivered"],
    ["tea", "Reserved Charged Shipped", "Delivered"],
  ]);
});

export const orders_when_the_server_is_killed = (given) => withPages(async (open, { weather }) => {
  const { host, name } = given;
  const page = await open(`http://${host}/?name=${name}`);
  await live(page);
  await order(page, "espresso machine");
  await page.locator("#orders .ask").waitFor();
  await order(page, "kettle");
  await until(async () => (await orders(page))[0][1] === "Reserved", "the first step of the kettle");
  await killAndStart(given, weather, [page], down, live);
  await ordersAre(page, [["kettle", "Reserved Charged Shipped", "Delivered"], ["espresso machine", "Reserved Asked", "?"]]);
  await page.click("#orders .yes");
  await until(async () => (await orders(page))[1][1].endsWith("Approved"), "the approval");
  await killAndStart(given, weather, [page], down, live);
  await ordersAre(page, [["kettle", "Reserved Charged Shipped", "Delivered"], ["espresso machine", DELIVERED, "Delivered"]]);
});

export const full_page_of_orders_fits = ({ host, name, pictures }) => withPages(async (open) => {
  const page = await open(`http://${host}/?name=${name}`);
  await live(page);
  for (const item of ["tea", "espresso machine", "espresso machine", "kettle"]) await order(page, item);
  await until(async () => (await page.locator("#orders .ask").count()) === 2, "two questions");
  await page.locator("#orders .no").first().click();
  await page.locator("#orders .bad").waitFor();
  await fitsEveryScreen(page, pictures);
});

// The help desk by e-mail

const mails = (page) => page.$$eval("#thread .mail", (items) => items.map((item) => [item.classList[1], item.querySelector("p")?.textContent ?? item.textContent]));
const threadIs = (page, wanted) => until(async () => JSON.stringify(await mails(page)) === JSON.stringify(wanted), `the thread ${JSON.stringify(wanted)}`);
const write = async (page, text) => { await page.fill("#text", text); await page.click("button[type=submit]"); };
const ASKED = [["in", "Where is order 1042?"], ["out", "Order 1042 has left our warehouse."]];

export const mail_is_written_answered_and_in_the_outbox = ({ host, name }) => withPages(async (open) => {
  const page = await open(`http://${host}/?name=${name}`);
  const other = await open(`http://${host}/?name=${name}`);
  await live(page);
  await live(other);
  await page.fill("#subject", "Grüße <b>you</b>");
  await write(page, "Where is order 1042?");
  for (const one of [page, other]) await threadIs(one, ASKED);
  assert.equal(await page.inputValue("#text"), "");
  assert.equal(await other.textContent("#thread .out b"), "Re: Grüße <b>you</b>");
  await page.locator("#outbox summary", { hasText: "Re: Grüße <b>you</b>" }).click();
  await page.locator("#outbox pre", { hasText: "In-Reply-To: <" }).waitFor();
  assert.match(await page.textContent("#outbox pre"), /Auto-Submitted: auto-replied[^]*X-Agent-Sig: /);
  await other.click("#thread .out button");
  await shows(other, "#answering span", "Answering “Re: Grüße <b>you</b>”");
  await write(other, "Thanks, and order 1041?");
  const all = [...ASKED, ["in", "Thanks, and order 1041?"], ["out", "Order 1041 is being packed."]];
  for (const one of [page, other]) await threadIs(one, all);
  await page.click("text=I want a refund");
  await page.locator("#thread .forward", { hasText: "team@example.com" }).waitFor();
  await until(async () => (await page.locator("#outbox li").count()) === 4, "four mails in the outbox");
});

export const desk_remembers_when_the_server_is_killed = (given) => withPages(async (open, { weather }) => {
  const { host, name } = given;
  const page = await open(`http://${host}/?name=${name}`);
  await live(page);
  await write(page, "Where is order 1042?");
  await threadIs(page, ASKED);
  await killAndStart(given, weather, [page], down, live);
  await page.reload();
  await threadIs(page, ASKED);
  await until(async () => (await page.locator("#outbox li").count()) === 1, "the outbox");
  await page.click("#thread .out button");
  await write(page, "And order 1043?");
  await threadIs(page, [...ASKED, ["in", "And order 1043?"], ["out", "Order 1043 is with the courier and comes today."]]);
});

export const full_desk_fits = ({ host, name, pictures }) => withPages(async (open) => {
  const page = await open(`http://${host}/?name=${name}`);
  await live(page);
  for (const text of ["Where is order 1042?", `read ${"a-very-long-word".repeat(9)}`, "I want a refund"]) {
    await write(page, text);
    await page.locator("#thread .in", { hasText: text }).waitFor();
  }
  await until(async () => (await mails(page)).length === 7, "the whole thread");
  await page.locator("#thread .out button").first().click();
  await page.locator("#outbox summary").first().click();
  await page.locator("#outbox pre", { hasText: "X-Agent-Sig" }).first().waitFor();
  await fitsEveryScreen(page, pictures);
});

// The landing page

const frameOf = (page, title) => page.frameLocator(`iframe[title="${title}"]`);

export const landing_page_shows_two_windows_in_step = (given) => withPages(async (open, { weather }) => {
  const page = await open(`http://${given.host}/`);
  const [ada, grace] = ["Ada’s window on the counter", "Grace’s window on the counter"].map((title) => frameOf(page, title));
  await until(async () => (await ada.locator("#count").textContent()) === "0", "the count");
  await ada.locator("#plus").click();
  await until(async () => (await grace.locator("#count").textContent()) === "1", "the count in the other window");
  await until(async () => (await page.textContent("#state")).startsWith('{"count": 1, "history": [{"who": "Ada", "by": 1}'), "the state of the agent");
  await until(async () => (await page.textContent("#online")).includes("3 connections"), "the connections");
  const [left, right] = ["Ada’s window on the chat room", "Grace’s window on the chat room"].map((title) => frameOf(page, title));
  await left.locator("#text").fill("Can you read this?");
  await left.locator("#text").press("Enter");
  await right.locator("#messages p", { hasText: "Can you read this?" }).waitFor();
  await killAndStart(given, weather, [page], down, (one) => shows(one, "#status", "live on this machine"));
  await until(async () => (await grace.locator("#status").textContent()) === "live", "the windows");
  assert.equal(await grace.locator("#count").textContent(), "1");
});

/** The page says: edit the code while it runs. */
export const new_code_is_taken_in = (given) => withPages(async (open, { weather }) => {
  const page = await open(`http://${given.host}/counter/?name=${given.name}&who=Ada`);
  await shows(page, "#count", 0);
  await page.click("#plus");
  await shows(page, "#by", "last changed by Ada");
  weather.serverMayBeDown = true; // the reload closes the connection for a moment
  await given.ask("edit");
  await until(async () => {
    const before = Number(await page.textContent("#count"));
    await page.click("#plus");
    await pause(150);
    return Number(await page.textContent("#count")) >= before + 10;
  }, "the new code");
  assert.equal(await page.locator("#history li").last().textContent(), "AAda +11");
});

// Any page

export const page_fits_and_is_accessible = ({ host, path, pictures }) => withPages(async (open) => {
  const page = await open(`http://${host}${path}`);
  await page.locator("#status[data-status=open]").waitFor();
  await fitsEveryScreen(page, pictures);
});

/** Nothing is fetched from anywhere else. */
export const page_needs_no_other_host = ({ host, path }) => withPages(async (open, { context }) => {
  const hosts = new Set();
  context.on("request", (request) => { if (!request.url().startsWith("data:")) hosts.add(new URL(request.url()).host); });
  const page = await open(`http://${host}${path}`);
  await page.locator("#status[data-status=open]").waitFor();
  assert.deepEqual([...hosts], [host]);
});

// The research team

const team = (page) => page.$$eval("#team li", (items) => items.map((item) => [item.dataset.aspect, item.querySelector("small").textContent]));
const ASPECTS = ["history", "science", "people", "numbers"];
const asks = async (page, question) => { await page.fill("#text", question); await page.press("#text", "Enter"); };
const answered = (page) => until(async () => (await page.textContent("#answer p")).includes("numbers of"), "the answer", 30_000);
const notes = (page) => page.$$eval("#notes li", (items) => items.length);

export const team_researches_in_two_tabs = ({ host, name }) => withPages(async (open) => {
  const [page, other] = [await open(`http://${host}/?name=${name}`), await open(`http://${host}/?name=${name}`)];
  for (const one of [page, other]) await live(one);
  await asks(page, "Why is <b>tea</b> hot?");
  for (const one of [page, other]) await shows(one, "#question", "Why is <b>tea</b> hot?");
  await until(async () => (await team(other)).length === ASPECTS.length, "the researchers");
  await other.click('[data-aspect="science"] button');
  await shows(other, "#notes h2", "Notes on science");
  const seen = new Set();
  await until(async () => { seen.add(await notes(other)); return seen.has(3); }, "the notes", 20_000);
  assert.ok(seen.size > 2, `the notes came at once: ${[...seen]}`);
  for (const one of [page, other]) await answered(one);
  assert.deepEqual(await team(page), ASPECTS.map((aspect) => [aspect, "done"]));
  await asks(page, "And coffee?");
  await shows(other, "#question", "And coffee?");
  await until(async () => !(await other.isVisible("#notes")), "the end of the old notes");
  await until(async () => (await page.textContent("#answer p")).includes("And coffee?"), "the second answer", 30_000);
});

export const team_goes_on_when_the_server_is_killed = (given) => withPages(async (open, { weather }) => {
  const { host, name } = given;
  const page = await open(`http://${host}/?name=${name}`);
  await live(page);
  await asks(page, "Why is tea hot?");
  await until(async () => (await team(page)).some(([, text]) => text.startsWith("1 of")), "the first source");
  await page.click('[data-aspect="people"] button');
  await until(async () => (await notes(page)) > 0, "the first note");
  await killAndStart(given, weather, [page], down, live);
  await answered(page);
  await until(async () => (await notes(page)) === 3, "the notes, over a connection of their own");
  assert.deepEqual(await team(page), ASPECTS.map((aspect) => [aspect, "done"]));
});

export const full_page_of_the_team_fits = ({ host, name, pictures }) => withPages(async (open) => {
  const page = await open(`http://${host}/?name=${name}`);
  await live(page);
  await asks(page, `Why is ${"a-very-long-word".repeat(9)} hot?`);
  await until(async () => (await team(page)).length === ASPECTS.length, "the researchers");
  await page.click('[data-aspect="people"] button');
  await answered(page);
  await fitsEveryScreen(page, pictures);
});
