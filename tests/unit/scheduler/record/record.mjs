// Records what cron-schedule 6.0.0 makes of random expressions. See README.md.
process.env.TZ = "UTC";
import { writeFileSync } from "node:fs";

const library = new URL("../../../../.tools/cron/node_modules/cron-schedule/dist/index.js", import.meta.url);
const { parseCronExpression } = await import(library.href);

let seed = 20261120;
const random = () => {
  // mulberry32: the same numbers on every machine
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const int = (low, high) => low + Math.floor(random() * (high - low + 1));
const pick = (items) => items[int(0, items.length - 1)];

const MONTHS = ["jan", "feb", "MAR", "apr", "May", "jun", "JUL", "aug", "sep", "OCT", "nov", "dec"];
const DAYS = ["mon", "TUE", "wed", "Thu", "fri", "sat", "sun"];
const FIELDS = {
  second: { min: 0, max: 59 },
  minute: { min: 0, max: 59 },
  hour: { min: 0, max: 23 },
  day: { min: 1, max: 31 },
  month: { min: 1, max: 12, names: MONTHS },
  weekday: { min: 0, max: 7, names: DAYS },
};

const value = ({ min, max, names }) => (names && random() < 0.3 ? pick(names) : String(int(min, max)));
const range = ({ min, max, names }) => {
  if (names && random() < 0.3) {
    const from = int(0, names.length - 1);
    return `${names[from]}-${names[int(from, names.length - 1)]}`;
  }
  const from = int(min, max);
  return random() < 0.15 ? `${min}-${max}` : `${from}-${int(from, max)}`;
};
const step = ({ max }) => int(1, random() < 0.1 ? max + 20 : Math.min(max, 20));
const item = (field) => {
  const kind = random();
  if (kind < 0.5) return value(field);
  if (kind < 0.75) return range(field);
  if (kind < 0.85) return `${range(field)}/${step(field)}`;
  return `${value({ ...field, names: undefined })}/${step(field)}`;
};
const field = (name) => {
  const kind = random();
  const wild = { day: 0.5, weekday: 0.5, month: 0.6, hour: 0.35 }[name] ?? 0.25;
  if (kind < wild) return "*";
  if (kind < wild + 0.15) return `*/${step(FIELDS[name])}`;
  if (kind < 0.85) return item(FIELDS[name]);
  return Array.from({ length: int(2, 4) }, () => item(FIELDS[name])).join(",");
};

const next = (expression, start) => {
  const cron = parseCronExpression(expression);
  const runs = [];
  let after = new Date(start * 1000);
  for (let number = 0; number < 3; number++) {
    after = cron.getNextDate(after);
    runs.push(after.getTime() / 1000);
  }
  return [expression, start, runs[0], runs[1] - runs[0], runs[2] - runs[1]];
};

const lines = [];
const seen = new Set();
const START = Date.UTC(2026, 10, 20, 8, 0, 7) / 1000;
while (lines.length < 1500) {
  const names = ["minute", "hour", "day", "month", "weekday"];
  const expression = (random() < 0.3 ? ["second", ...names] : names).map(field).join(" ");
  if (seen.has(expression)) continue;
  seen.add(expression);
  try {
    lines.push(next(expression, random() < 0.5 ? START : START + int(0, 4 * 365 * 86400)));
  } catch (error) {
    if (!/No valid next date/.test(error.message)) throw error;
  }
}
for (const nickname of ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly", "@Minutely"]) {
  lines.push(next(nickname, START));
}
const refused = [
  "", "*", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *",
  "* * * * 8", "60 * * * * *", "*/0 * * * *", "5-1 * * * *", "1,,2 * * * *", ",1 * * * *", "* * * * fri-mon", "a * * * *",
  "* * * foo *", "* * * * foo", "@midnight", "@reboot", "@never", "0 0 31 2 *", "0 0 30 feb *", "0 0 ? * *", "0 0 L * *",
  "-1 * * * *", "R * * * *", "H * * * *",
];
for (const expression of refused) {
  let accepted = true;
  try {
    next(expression, START);
  } catch {
    accepted = false;
  }
  if (accepted) throw new Error(`${expression} was expected to be refused`);
  lines.push([expression, null]);
}
writeFileSync(new URL("../cron_vectors.jsonl", import.meta.url), lines.map((line) => JSON.stringify(line)).join("\n") + "\n");
console.log(`${lines.length} lines`);
