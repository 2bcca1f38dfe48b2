// Everything without a mouse.

import { assert, check, eventually } from "./check.mjs";
import { composer, settled } from "./browser.mjs";

const focusIsIn = (page, selector) => page.evaluate((wanted) => document.activeElement?.closest(wanted) !== null, selector);
const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true });

check("keyboard: from the switcher to a sent message", async (context) => {
  const page = await context.page();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("bo");
  await page.keyboard.press("Enter");
  await heading(page, "bob").waitFor();
  await eventually(() => focusIsIn(page, "main textarea"), "the composer has the focus");
  await page.keyboard.type("no mouse");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("at all");
  await page.keyboard.press("Enter");
  await page.locator("[data-state-of-message=delivered]").last().waitFor();
  assert.equal(await page.locator("main [role=listitem] .text").last().textContent(), "no mouse\nat all");
});

check("keyboard: Enter begins a line for those who chose so, and Ctrl+Enter sends", async (context) => {
  const page = await context.page();
  await page.keyboard.press("Alt+ArrowDown");
  await eventually(() => focusIsIn(page, "main textarea"), "begins in the composer");
  await page.keyboard.press("Control+,");
  await page.getByRole("radio", { name: "Begins a line; Ctrl+Enter sends" }).check();
  await page.keyboard.press("Escape");
  await eventually(() => focusIsIn(page, "main textarea"), "the focus is back");
  await page.keyboard.press("Control+/");
  await page.getByRole("dialog").locator("dl > div").filter({ hasText: /^\s*Send\s*Ctrl\s*Enter\s*$/u }).waitFor();
  await page.keyboard.press("Escape");
  await eventually(() => focusIsIn(page, "main textarea"), "the focus is back");
  await page.keyboard.type("two");
  await page.keyboard.press("Enter");
  await page.keyboard.type("lines");
  await page.keyboard.press("Control+Enter");
  await page.locator("[data-state-of-message=delivered]").last().waitFor();
  assert.equal(await page.locator("main [role=listitem] .text").last().textContent(), "two\nlines");
});

check("keyboard: Alt and the arrows go through conversations, with Shift through unread ones", async (context) => {
  const page = await context.page();
  await page.keyboard.press("Alt+ArrowDown");
  await heading(page, "bob").waitFor();
  await page.keyboard.press("Alt+ArrowDown");
  await heading(page, "carol").waitFor();
  await page.keyboard.press("Alt+ArrowUp");
  await heading(page, "bob").waitFor();
  await page.keyboard.press("Alt+Shift+ArrowDown");
  await heading(page, "dmitri").waitFor();
  await page.keyboard.press("Control+1");
  await heading(page, "bob").waitFor();
});

check("keyboard: Ctrl+F finds in the open conversation, with Shift in all", async (context) => {
  const page = await context.page();
  const chosen = (name) => page.getByRole("radio", { name }).isChecked();
  const withOthers = page.locator(".hits .with", { hasNotText: "with carol" });
  const withCarol = page.locator(".hits .with", { hasText: "with carol" });
  await page.keyboard.press("Control+k");
  await page.keyboard.type("carol");
  await page.keyboard.press("Enter");
  await heading(page, "carol").waitFor();
  await page.keyboard.press("Control+f");
  await eventually(() => focusIsIn(page, "[type=search]"), "the field has the focus");
  assert.ok(await chosen("With carol"));
  await page.keyboard.type("coffee");
  await withCarol.first().waitFor();
  assert.equal(await withOthers.count(), 0);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Control+Shift+F");
  await withOthers.first().waitFor();
  assert.ok(await chosen("Everywhere"));
  await eventually(() => focusIsIn(page, "[type=search]"), "the focus is back in the field");
  // The words are selected: typing begins anew.
  await page.keyboard.type("kitchen");
  await eventually(async () => (await page.getByRole("searchbox").inputValue()) === "kitchen", "other words");
  await page.keyboard.press("Tab");
  await page.keyboard.press("ArrowLeft");
  assert.ok(await chosen("With carol"));
  await eventually(async () => (await withOthers.count()) === 0, "only in the conversation again");
  // Another conversation is another place to look in.
  await page.keyboard.press("Control+f");
  await page.keyboard.type("coffee");
  await withCarol.first().waitFor();
  await page.keyboard.press("Alt+ArrowUp");
  await heading(page, "bob").waitFor();
  await page.locator(".hits .with", { hasText: "with bob" }).first().waitFor();
  assert.equal(await withCarol.count(), 0);
});

check("keyboard: F6 goes round the parts of the window", async (context) => {
  const page = await context.page();
  await page.keyboard.press("Alt+ArrowDown");
  await page.locator("main [role=listitem]").last().waitFor();
  await eventually(() => focusIsIn(page, "main textarea"), "begins in the composer");
  await page.keyboard.press("F6");
  assert.ok(await focusIsIn(page, ".sidebar"));
  await page.keyboard.press("F6");
  assert.ok(await focusIsIn(page, "[role=listitem]"));
  await page.keyboard.press("F6");
  assert.ok(await focusIsIn(page, "textarea"));
  await page.keyboard.press("Shift+F6");
  assert.ok(await focusIsIn(page, "[role=listitem]"));
});

check("keyboard: from message to message, to its tools, and back", async (context) => {
  const page = await context.page();
  await page.keyboard.press("Alt+ArrowDown");
  await page.locator("main [role=listitem]").last().waitFor();
  await eventually(() => focusIsIn(page, "main textarea"), "begins in the composer");
  await page.keyboard.press("Shift+F6");
  const focusedKey = () => page.evaluate(() => document.activeElement?.closest("[data-key]")?.dataset.key);
  const last = await focusedKey();
  for (let step = 0; step < 60; step++) await page.keyboard.press("ArrowUp");
  await eventually(async () => (await focusedKey()) !== last && (await focusedKey()) !== undefined, "the focus went along");
  await page.keyboard.press("Control+c");
  const text = await page.evaluate(() => document.activeElement.querySelector(".text").textContent);
  await eventually(async () => (await page.evaluate(() => navigator.clipboard.readText())) === text, "copied");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await eventually(() => focusIsIn(page, "[role=listitem] button"), "a tool of the message");
  await page.keyboard.press("End");
  await eventually(async () => (await focusedKey()) === last, "the last message");
});

check("keyboard: dialogs keep the focus, go with Escape, and give it back", async (context) => {
  const page = await context.page();
  await page.keyboard.press("Alt+ArrowDown");
  await eventually(() => focusIsIn(page, "main textarea"), "begins in the composer");
  for (const key of ["Control+/", "Control+,", "Control+k"]) {
    await page.keyboard.press(key);
    await page.getByRole("dialog").waitFor();
    for (let step = 0; step < 12; step++) {
      await page.keyboard.press("Tab");
      assert.ok(await focusIsIn(page, "[role=dialog]"), `${key}: the focus stays inside`);
    }
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await eventually(() => focusIsIn(page, "main textarea"), `${key}: the focus is back`);
  }
});

check("keyboard: the menu of the account, and out", async (context) => {
  const page = await context.page();
  await page.getByRole("button", { name: /^Account and app/u }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Invite people" }).waitFor();
  await page.keyboard.press("Escape");
  await eventually(() => focusIsIn(page, ".account"), "the focus is back");
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Log out" }).waitFor();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Create your account" }).waitFor();
});

check("keyboard: Tab reaches every part of the chat, each with a name", async (context) => {
  const page = await context.page();
  await page.keyboard.press("Alt+ArrowDown");
  await page.locator("main [role=listitem]").last().waitFor();
  const seen = new Set();
  for (let step = 0; step < 25; step++) {
    await page.keyboard.press("Tab");
    const part = await page.evaluate(() => {
      const active = document.activeElement;
      const name = active.getAttribute("aria-label") ?? active.textContent.trim();
      return { name, part: active.closest(".sidebar, [role=listitem], form, header")?.className ?? "" };
    });
    assert.notEqual(part.name, "", "a stop without a name");
    seen.add(part.part.split(" ")[0]);
  }
  await settled(page);
  for (const part of ["sidebar", "row", "composer"]) assert.ok([...seen].includes(part), `Tab never came to ${part}: ${[...seen]}`);
});

check("keyboard: zoom by keys, 50 to 200 %", async (context) => {
  const page = await context.page();
  const size = () => page.evaluate(() => document.documentElement.style.fontSize);
  await composer(page).count();
  for (let step = 0; step < 12; step++) await page.keyboard.press("Control+=");
  assert.equal(await size(), "200%");
  for (let step = 0; step < 20; step++) await page.keyboard.press("Control+-");
  assert.equal(await size(), "50%");
  await page.keyboard.press("Control+0");
  assert.equal(await size(), "100%");
});
