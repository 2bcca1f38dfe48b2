// The smallest test runner that does: named checks, one after the other, each with what went wrong.

import assert from "node:assert/strict";

export { assert };

const checks = [];

/** Longer than any check takes on a busy machine. */
const PATIENCE_MS = 40_000;

function within(patience_ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${patience_ms} ms`)), patience_ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function check(name, body) {
  checks.push({ name, body });
}

/** Runs those whose name has one of the words in it; all, if there are none. Answers with how many failed. */
export async function runChecks(world, words) {
  let failed = 0;
  for (const { name, body } of checks) {
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
    const began = performance.now();
    const context = await world.open();
    try {
      await within(PATIENCE_MS, body(context));
      assert.deepEqual(context.troubles(), [], "the page logged errors, or its policy forbade something");
      console.log(`ok    ${name} (${Math.round(performance.now() - began)} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}\n${String(error.stack ?? error).replace(/^/gmu, "      ")}`);
    } finally {
      await context.close();
    }
  }
  return failed;
}

/** Asks again until it holds: for what has no event to wait for. */
export async function eventually(question, what, patience_ms = 5000) {
  const until = performance.now() + patience_ms;
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    if (performance.now() > until) assert.fail(`not within ${patience_ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
