// Machines that die: calm for a second, then one line; what is typed is kept, and sent once and in order.

import { assert, check, eventually } from "./check.mjs";
import { composer, openConversation } from "./browser.mjs";

const kill = (page, ...nodes) => page.evaluate((names) => names.forEach((name) => window.five9s.kill(name)), nodes);
const revive = (page, ...nodes) => page.evaluate((names) => names.forEach((name) => window.five9s.revive(name)), nodes);

check("failover: the machine in use dies, and nothing is said", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await page.evaluate(() => {
    window.said = [];
    new MutationObserver(() => window.said.push(document.querySelector("main [role=status]").textContent)).observe(
      document.querySelector("main [role=status]"),
      { childList: true, subtree: true },
    );
  });
  await kill(page, "n2");
  await composer(page).fill("through it all");
  await composer(page).press("Enter");
  await page.locator("[data-state-of-message=delivered]").last().waitFor();
  assert.deepEqual(await page.evaluate(() => window.said.filter((text) => text.trim() !== "")), []);
});

check("failover: another leader leaves a quiet line", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await kill(page, "n1");
  await page.getByText(/^n3 took over in 0\.[89]\ss; 0 messages affected$/u).waitFor();
});

check("failover: several changes of the leader are one line, which unfolds", async (context) => {
  const page = await context.page();
  const lines = page.locator("main [role=listitem]").getByText(/took over in/u);
  await openConversation(page, "bob");
  await kill(page, "n1");
  await page.locator("main").getByText(/^n3 took over/u).waitFor();
  await revive(page, "n1");
  await kill(page, "n3");
  const earlier = page.getByRole("button", { name: "1 earlier change of leader" });
  await earlier.waitFor();
  assert.equal(await lines.count(), 1);
  await earlier.click();
  await eventually(async () => (await lines.count()) === 2, "both are shown");
  assert.match((await lines.allTextContents())[0], /^n3 took over/u);
  await page.getByRole("button", { name: "Only the latest change" }).click();
  await eventually(async () => (await lines.count()) === 1, "folded again");
});

check("failover: without a quorum it is read-only, names the machines, keeps what is typed, and sends it in order", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await kill(page, "n1", "n3");
  await page.getByText("Read-only: 1 of 3 machines reachable, 2 needed").waitFor();
  await page.getByText("Reachable: n2 · not reachable: n1 and n3").waitFor();
  for (const text of ["first", "second", "third"]) {
    await composer(page).fill(text);
    await composer(page).press("Enter");
    await eventually(async () => (await composer(page).inputValue()) === "", "taken by the outbox");
  }
  assert.equal(await page.locator("[data-state-of-message=queued]").count(), 3);
  await revive(page, "n1");
  await eventually(async () => (await page.locator("[data-state-of-message=queued]").count()) === 0, "sent");
  await page.locator("[data-state-of-message=delivered]").last().waitFor();
  const texts = await page.locator("main [role=listitem] .text").allTextContents();
  assert.deepEqual(texts.slice(-3), ["first", "second", "third"]);
  assert.equal(await page.getByText("Read-only:").count(), 0);
});

check("failover: with nobody to reach it says so after a second, and finds back by itself", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await kill(page, "n1", "n2", "n3");
  await page.getByText("Reconnecting… What you write is kept, and sent once.").waitFor();
  await composer(page).fill("kept");
  await composer(page).press("Enter");
  await page.locator("[data-state-of-message=queued]").waitFor();
  await revive(page, "n2", "n3");
  await page.locator("[data-state-of-message=delivered]").last().waitFor();
});

check("failover: the picture of the machines is live", async (context) => {
  const page = await context.page();
  await page.getByRole("button", { name: /^Machines/u }).click();
  await page.getByText("All is well: this chat can lose 1 more machine.").waitFor();
  await kill(page, "n3");
  await page.getByText("Every message is safe, but the next machine that fails makes this chat read-only.").waitFor();
  assert.equal(await page.locator(".side-panel article.gone").count(), 1);
  await page.evaluate(() => window.five9s.lagBehind("n2", 12));
  await page.getByText("12 entries behind").waitFor();
});
