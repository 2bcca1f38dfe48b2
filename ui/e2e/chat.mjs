// Writing, sending, and what becomes of a message.

import { assert, check, eventually } from "./check.mjs";
import { composer, openConversation, settled } from "./browser.mjs";

const calls = (page, name) => page.evaluate((wanted) => window.five9s.calls.filter((call) => call.name === wanted), name);

check("chat: a message goes from the composer to delivered, and to read", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await composer(page).fill("Hello\nworld");
  await composer(page).press("Enter");
  const row = page.locator("main [role=listitem]").last();
  await row.locator("[data-state-of-message=delivered]").waitFor();
  assert.equal(await row.locator(".text").textContent(), "Hello\nworld");
  assert.equal(await composer(page).inputValue(), "");
  await page.evaluate(() => window.five9s.readBy("bob"));
  await row.locator("[data-state-of-message=read]").waitFor();
});

check("chat: the text leaves the composer only once the outbox has it", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await composer(page).fill("slow disk");
  await page.evaluate(() => window.five9s.slow(400));
  await composer(page).press("Enter");
  await settled(page);
  assert.equal(await composer(page).inputValue(), "slow disk");
  // What is typed meanwhile is the next message.
  await composer(page).pressSequentially(" and more");
  await eventually(async () => (await composer(page).inputValue()) === " and more", "only what was sent goes");
});

check("chat: Enter while an input method composes does not send", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await composer(page).fill("にほん");
  await composer(page).evaluate((field) => {
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true }));
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, bubbles: true, cancelable: true }));
  });
  await settled(page);
  assert.equal((await calls(page, "send_draft")).length, 0);
  assert.equal(await composer(page).inputValue(), "にほん");
});

check("chat: a text that is too long is told before, and is neither cut nor sent", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await composer(page).fill("x".repeat(15_000));
  await page.getByText("1.4 kB left").waitFor();
  await composer(page).fill("x".repeat(17_000));
  await page.getByText(/too long/u).waitFor();
  await composer(page).press("Enter");
  await settled(page);
  assert.equal((await calls(page, "send_draft")).length, 0);
  assert.equal((await composer(page).inputValue()).length, 17_000);
  assert.ok(await page.getByRole("button", { name: "Send" }).isDisabled());
});

check("chat: a draft is kept for each conversation, and shown in the list", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await composer(page).fill("for bob");
  await openConversation(page, "erin");
  assert.equal(await composer(page).inputValue(), "");
  await page.locator(".sidebar .draft").waitFor();
  await eventually(async () => (await calls(page, "keep_draft")).some((call) => call.request.text === "for bob"), "the draft is on disk");
  await openConversation(page, "bob");
  assert.equal(await composer(page).inputValue(), "for bob");
});

check("chat: a refused message can be edited, and sent again", async (context) => {
  const page = await context.page();
  const refuse = () => page.evaluate(() => window.five9s.refuseNext({ code: "storage_full", message: "" }));
  await openConversation(page, "bob");
  await refuse();
  await composer(page).fill("first");
  await composer(page).press("Enter");
  await page.getByText("Not sent: The machines' disks are full.").waitFor();
  await page.getByRole("button", { name: "Edit" }).click();
  await eventually(async () => (await composer(page).inputValue()) === "first", "back in the composer");
  await eventually(async () => (await page.getByText("Not sent:").count()) === 0, "no longer among the refused");
  assert.ok(await composer(page).evaluate((field) => field === document.activeElement));
  await refuse();
  await composer(page).press("Enter");
  await page.getByRole("button", { name: "Send again" }).click();
  await page.locator("[data-state-of-message=delivered]").last().waitFor();
  await eventually(async () => (await page.getByText("Not sent:").count()) === 0, "the refused one is gone");
});

check("chat: a refused message can be copied, discarded, and had back", async (context) => {
  const page = await context.page();
  await page.evaluate(() => window.five9s.refuseNext({ code: "storage_full", message: "" }));
  await openConversation(page, "bob");
  await composer(page).fill("not so fast");
  await composer(page).press("Enter");
  const row = page.locator("main [role=listitem]", { hasText: "not so fast" });
  await row.getByRole("button", { name: "Copy", exact: true }).click();
  await eventually(async () => (await page.evaluate(() => navigator.clipboard.readText())) === "not so fast", "copied");
  await row.getByRole("button", { name: "Discard" }).click();
  await row.waitFor({ state: "detached" });
  await eventually(() => composer(page).evaluate((field) => field === document.activeElement), "the focus is not lost");
  // Elsewhere by now, with something typed: it comes back to where it was written.
  await composer(page).fill("besides");
  await openConversation(page, "carol");
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("heading", { level: 1, name: "bob", exact: true }).waitFor();
  await eventually(async () => (await composer(page).inputValue()) === "not so fast\nbesides", "back in the composer");
  assert.equal(await page.getByRole("button", { name: "Undo" }).count(), 0);
});

check("chat: several refused messages are sent again by one button, in their order", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  for (const text of ["one", "two", "three"]) {
    await page.evaluate(() => window.five9s.refuseNext({ code: "storage_full", message: "" }));
    await composer(page).fill(text);
    await composer(page).press("Enter");
    await page.locator("main [role=listitem]", { hasText: text }).getByText("Not sent:").waitFor();
    assert.equal(await page.getByRole("button", { name: "Send all again" }).count(), text === "one" ? 0 : 1);
  }
  await page.getByText("3 messages were not sent.").waitFor();
  await page.getByRole("button", { name: "Send all again" }).click();
  await eventually(async () => (await page.locator("[data-state-of-message=failed]").count()) === 0, "nothing is refused any more");
  await page.locator("[data-state-of-message=delivered]").last().waitFor();
  assert.deepEqual((await page.locator("main [role=listitem] .text").allTextContents()).slice(-3), ["one", "two", "three"]);
  assert.equal(await page.getByRole("button", { name: "Send all again" }).count(), 0);
  assert.ok(await composer(page).evaluate((field) => field === document.activeElement), "the focus is back");
});

check("chat: a link that is not what it looks like shows where it leads, and is opened only if it is meant", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await page.evaluate(() => window.five9s.receive("bob", "log in at https://\u0430pple.example/id"));
  const link = page.locator("main [role=listitem]").last().getByRole("link");
  const dialog = page.getByRole("dialog", { name: "Open this link?" });
  await link.click();
  await dialog.getByText("xn--pple-43d.example", { exact: true }).waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal((await calls(page, "open_link")).length, 0);
  await link.click();
  await dialog.getByRole("button", { name: "Open in the browser" }).click();
  await eventually(async () => (await calls(page, "open_link")).length === 1, "asked");
  assert.equal((await calls(page, "open_link"))[0].request.url, "https://xn--pple-43d.example/id");
});

check("chat: a click on a link asks the back end to open it, and the page stays", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await page.evaluate(() => window.five9s.receive("bob", "see https://example.org/x. <img src=x onerror=alert(1)> javascript:alert(1)"));
  const row = page.locator("main [role=listitem]").last();
  await row.getByRole("link").click();
  await eventually(async () => (await calls(page, "open_link")).length === 1, "asked");
  assert.equal((await calls(page, "open_link"))[0].request.url, "https://example.org/x");
  assert.equal(await row.locator("img").count(), 0);
  assert.equal(await row.getByRole("link").count(), 1);
});

check("chat: what is in view is read, and counts everywhere", async (context) => {
  const page = await context.page();
  await openConversation(page, "dmitri");
  await eventually(async () => (await calls(page, "mark_read")).length > 0, "told to the nodes");
  await eventually(async () => (await page.locator(".sidebar button.open .count").count()) === 0, "the count is gone");
});

check("chat: stored shows its proof on focus: machines, index and term", async (context) => {
  const page = await context.page();
  await openConversation(page, "carol");
  await composer(page).fill("to somebody who is away");
  await composer(page).press("Enter");
  const state = page.locator("[data-state-of-message=stored]").last();
  await state.waitFor();
  await state.hover();
  await page.getByText("On 3 of 3 machines").waitFor();
  await page.getByText(/^index [\d,]+, term 7$/u).waitFor();
});

check("chat: a range of messages is copied as when, who and what, and a part of one as it is", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  await composer(page).fill("first");
  await composer(page).press("Enter");
  await page.locator("[data-state-of-message=delivered]").last().waitFor();
  await page.evaluate(() => window.five9s.receive("bob", "second\nof two lines"));
  await page.locator("main [role=listitem] .text", { hasText: "second" }).waitFor();
  const copy = (from, to) =>
    page.evaluate(
      ([begin, end]) => {
        const texts = [...document.querySelectorAll("main [role=listitem] .text")];
        getSelection().setBaseAndExtent(texts.at(begin), 0, texts.at(end), texts.at(end).childNodes.length);
        document.execCommand("copy");
        return navigator.clipboard.readText();
      },
      [from, to],
    );
  assert.match(await copy(-2, -1), /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] alice: first\n\[[-\d: ]+\] bob: second\n {4}of two lines$/u);
  assert.equal(await copy(-1, -1), "second\nof two lines");
});

check("chat: a notification that was clicked opens its conversation", async (context) => {
  const page = await context.page();
  await page.evaluate(() => window.five9s.notificationClicked("erin"));
  await page.getByRole("heading", { level: 1, name: "erin" }).waitFor();
});

check("chat: after a gap in the updates everything is loaded anew", async (context) => {
  const page = await context.page();
  await openConversation(page, "bob");
  const before = (await calls(page, "conversations")).length;
  await page.evaluate(() => window.five9s.lag());
  await eventually(async () => (await calls(page, "conversations")).length > before, "loaded anew");
  await page.locator("main [role=listitem]").last().waitFor();
});

check("chat: an account that is deleted returns what it never received, and takes no more", async (context) => {
  const page = await context.page();
  await openConversation(page, "carol");
  await composer(page).fill("will not arrive");
  await composer(page).press("Enter");
  await page.locator("[data-state-of-message=stored]").last().waitFor();
  await page.evaluate(() => window.five9s.remove("carol"));
  await page.locator("[data-state-of-message=returned]").last().waitFor();
  await page.getByText("carol deleted this account. Nothing can be sent to it.").waitFor();
  assert.equal(await composer(page).count(), 0);
});
