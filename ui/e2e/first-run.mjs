// From nothing to the chat, and out of it again.

import { assert, check, eventually } from "./check.mjs";
import { composer } from "./browser.mjs";

check("first run: the chat of this computer, an account, a message", async (context) => {
  const page = await context.page({ scene: "first_run" });
  await page.getByRole("button", { name: "Join", exact: true }).click();
  await page.getByRole("heading", { name: "Create your account" }).waitFor();
  await page.getByLabel("Name").fill("quinn");
  await page.getByLabel("Password", { exact: true }).fill("a long secret");
  await page.getByLabel("Password, again").fill("another");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("The two passwords differ.").waitFor();
  await page.getByLabel("Password, again").fill("a long secret");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.locator(".sidebar button", { hasText: "bob" }).click();
  await page.getByRole("heading", { name: "Say hello to bob" }).waitFor();
  await composer(page).fill("Hello, I am new here");
  await composer(page).press("Enter");
  await page.locator("[data-state-of-message=delivered]").waitFor();
});

check("first run: a name that is taken is said at the name", async (context) => {
  const page = await context.page({ scene: "first_run" });
  await page.getByRole("button", { name: "Join", exact: true }).click();
  await page.getByLabel("Name").fill("bob");
  await page.getByLabel("Password", { exact: true }).fill("x");
  await page.getByLabel("Password, again").fill("x");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("This name is taken.").waitFor();
  assert.equal(await page.getByLabel("Name").getAttribute("aria-invalid"), "true");
});

check("first run: nothing found says what to check, and a code helps", async (context) => {
  const page = await context.page({ scene: "nothing_found" });
  await page.getByText("Looking around…").waitFor();
  await page.getByText("Nothing found so far").waitFor({ timeout: 7000 });
  await page.getByLabel("Code from a colleague").fill("nonsense");
  await page.getByRole("button", { name: "Join with the code" }).click();
  await page.getByText("This is not a code of a chat.").waitFor();
  await page.getByLabel("Code from a colleague").fill("five9s-c1-AAAA");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Create your account" }).waitFor();
});

check("first run: a wrong password is refused, the right one is not", async (context) => {
  const page = await context.page({ scene: "first_run" });
  await page.getByRole("button", { name: "Start a chat here" }).click();
  await page.getByRole("button", { name: "I have an account" }).click();
  await page.getByLabel("Name").fill("alice");
  await page.getByLabel("Password", { exact: true }).fill("wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("The name or the password is wrong.").waitFor();
  await page.getByLabel("Password", { exact: true }).fill("correct horse");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator(".sidebar").waitFor();
});

check("first run: a session that ended says so, and leads to the login", async (context) => {
  const page = await context.page();
  await page.evaluate(() => window.five9s.endSession());
  await page.getByText(/^You were logged out/u).waitFor();
});

check("first run: deleting the account counts what is waiting, and wants its name", async (context) => {
  const page = await context.page();
  await page.getByRole("button", { name: /^Account and app/u }).click();
  await page.getByRole("menuitem", { name: "Delete account…" }).click();
  await page.getByText("No message is waiting for you.").waitFor();
  const button = page.getByRole("button", { name: "Delete account" });
  assert.ok(await button.isDisabled());
  await page.getByLabel("Type alice to confirm").fill("alice");
  await button.click();
  await page.getByRole("heading", { name: "Create your account" }).waitFor();
  await eventually(async () => (await page.locator("[role=dialog]").count()) === 0, "the dialog is gone");
});
