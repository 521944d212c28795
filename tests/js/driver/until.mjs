// Waiting, always with a limit.
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The first truthy result of `check`, which may be async. */
export async function until(check, what, limitMs = 8_000) {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await pause(15);
  }
}

/** `promise`, or an error after `limitMs`. */
export function within(promise, what, limitMs = 8_000) {
  let timer;
  const limit = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`waited ${limitMs} ms in vain for ${what}`)), limitMs); });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}
