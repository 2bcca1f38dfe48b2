// Every screen and state that is worth a look: how to get there, for the accessibility checks and the pictures.

import { composer, openConversation, settled } from "./browser.mjs";

const NARROW = { width: 360, height: 640 };

const kill = (page, ...nodes) => page.evaluate((names) => names.forEach((name) => window.five9s.kill(name)), nodes);

async function send(page, text) {
  await composer(page).fill(text);
  await composer(page).press("Enter");
}

async function conversation(page) {
  await openConversation(page, "bob");
  await page.evaluate(() => window.five9s.receive("bob", "One more thing: https://example.org/handbook/on-call has the list."));
  await send(page, "Thanks, I will have a look.");
  await page.locator("[data-state-of-message=delivered]").last().waitFor();
  // What is in view counts as read after a moment.
  await page.locator(".sidebar .open .count").waitFor({ state: "detached" });
}

async function menu(page, item) {
  await page.getByRole("button", { name: /^Account and app/u }).click();
  await page.getByRole("menuitem", { name: item }).click();
}

async function tools(page) {
  await conversation(page);
  await page.locator("main [role=listitem]").last().hover();
  await page.getByRole("button", { name: "Message actions" }).last().click();
}

async function proof(page) {
  const row = page.locator("main [role=listitem]", { hasText: "The keys are in the drawer." });
  await row.locator("[data-state-of-message=stored]").hover();
}

async function readOnly(page) {
  await openConversation(page, "bob");
  await kill(page, "n1", "n3");
  await page.getByText("Read-only: 1 of 3 machines reachable, 2 needed").waitFor();
}

async function createAccount(page) {
  await page.getByRole("button", { name: "Join", exact: true }).click();
  await page.getByLabel("Name").fill("bob");
  await page.getByLabel("Password", { exact: true }).fill("secret");
  await page.getByLabel("Password, again").fill("secret");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("This name is taken.").waitFor();
}

async function readingBack(page) {
  await openConversation(page, "carol");
  await page.locator("main [role=listitem]").last().waitFor();
  await page.locator(".scroller").hover();
  await page.mouse.wheel(0, -1200);
  await page.getByRole("button", { name: "To the latest message" }).waitFor();
  await page.evaluate(() => window.five9s.receive("carol", "Are you still reading?", "It can wait."));
  await page.getByRole("button", { name: "2 new messages" }).waitFor();
}

async function search(page) {
  await openConversation(page, "carol");
  await page.keyboard.press("Control+f");
  await page.getByRole("searchbox").fill("coffee");
  await page.locator(".hits button").nth(3).click();
  await page.locator(".message.target").waitFor();
}

async function german(page) {
  await readOnly(page);
  await page.keyboard.press("Control+,");
  await page.getByRole("combobox", { name: "Language" }).selectOption("de");
  await page.getByText("Einstellungen").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText(/^Nur lesen: 1 von 3/u).waitFor();
}

const opens = (name) => async (page) => {
  await openConversation(page, name);
  await page.locator("main [role=listitem]").last().waitFor();
};

const dialog = (key) => async (page) => {
  await page.keyboard.press(key);
  await page.getByRole("dialog").waitFor();
};

const says = (text) => (page) => page.getByText(text).first().waitFor({ timeout: 8000 });

const after = (...steps) => async (page) => {
  for (const step of steps) await step(page);
};

const refused = (text) => async (page) => {
  await page.evaluate(() => window.five9s.refuseNext({ code: "storage_full", message: "" }));
  await send(page, text);
  await page.locator("main [role=listitem]", { hasText: text }).getByText("Not sent:").waitFor();
};

const press = (key) => (page) => page.keyboard.press(key);
const click = (name) => (page) => page.getByRole("button", { name }).click();

const noNode = after((page) => page.locator(".sidebar .count").first().waitFor(), (page) => kill(page, "n1", "n2", "n3"), says(/^Reconnecting…/u));

export const SCREENS = [
  { name: "welcome", scene: "first_run", show: says("On this computer: n1, n2 and n3") },
  { name: "welcome-nothing-found", scene: "nothing_found", show: says("Nothing found so far") },
  { name: "create-account", scene: "first_run", show: createAccount },
  { name: "log-in", show: after((page) => page.evaluate(() => window.five9s.endSession()), says(/^You were logged out/u)) },
  { name: "nothing-open", show: (page) => page.locator(".sidebar .count").first().waitFor() },
  { name: "conversation", show: conversation },
  { name: "unread", show: after(opens("dmitri"), (page) => page.locator("[data-unread]").waitFor()) },
  { name: "reading-back", show: readingBack },
  { name: "message-tools", show: after(tools, says("Message info")) },
  { name: "message-info", show: after(tools, (page) => page.getByRole("menuitem", { name: "Message info" }).click(), says("On 3 of 3 machines")) },
  {
    name: "proof",
    show: after(opens("carol"), (page) => send(page, "The keys are in the drawer."), proof, says("On 3 of 3 machines")),
  },
  {
    name: "failed",
    show: after(
      opens("bob"),
      (page) => page.evaluate(() => window.five9s.refuseNext({ code: "storage_full", message: "" })),
      (page) => send(page, "The minutes of this morning:\n1. the printer\n2. the plant"),
      says("Not sent: The machines' disks are full."),
    ),
  },
  { name: "discarded", show: after(opens("bob"), refused("1. the printer"), click("Discard"), says("The message was discarded.")) },
  {
    name: "failed-several",
    show: after(opens("bob"), refused("The minutes of this morning:"), refused("1. the printer"), refused("2. the plant"), says("3 messages were not sent.")),
  },
  {
    name: "odd-link",
    show: after(
      opens("bob"),
      (page) => page.evaluate(() => window.five9s.receive("bob", "The new log-in is at https://\u0430pple.example/account")),
      (page) => page.locator("main [role=listitem]").last().getByRole("link").click(),
      says("Open this link?"),
    ),
  },
  {
    name: "too-long",
    show: after(opens("bob"), (page) => composer(page).fill("a line of a log file that somebody pasted\n".repeat(400)), says(/too long/u)),
  },
  {
    name: "read-only",
    show: after(
      readOnly,
      (page) => send(page, "This waits on my disk."),
      (page) => page.locator("[data-state-of-message=queued]").waitFor(),
      (page) => composer(page).fill("And I can go on writing"),
    ),
  },
  { name: "reconnecting", show: after(opens("bob"), (page) => kill(page, "n1", "n2", "n3"), says(/^Reconnecting…/u)) },
  { name: "reconnecting-nothing-open", show: noNode },
  { name: "narrow-list-reconnecting", viewport: NARROW, show: noNode },
  { name: "takeover", show: after(conversation, (page) => kill(page, "n1"), says(/took over in/u), press("Control+m"), says(/next machine that fails/u)) },
  {
    name: "takeovers",
    show: after(
      conversation,
      (page) => kill(page, "n1"),
      says(/^n3 took over/u),
      (page) => page.evaluate(() => window.five9s.revive("n1")),
      (page) => kill(page, "n3"),
      click("1 earlier change of leader"),
      says("Only the latest change"),
    ),
  },
  { name: "machines", show: after(conversation, press("Control+m"), says(/^All is well/u)) },
  { name: "machines-read-only", show: after(readOnly, click("Show machines"), says(/^Read-only: too few/u)) },
  { name: "search", show: search },
  {
    name: "search-nothing",
    show: after(press("Control+f"), (page) => page.getByRole("searchbox").fill("zebra"), says(/^No message has/u)),
  },
  { name: "switcher", show: after(opens("bob"), press("Control+k"), (page) => page.getByRole("combobox").fill("r"), (page) => page.getByRole("option").first().waitFor()) },
  { name: "account-menu", show: after(click(/^Account and app/u), says("Log out")) },
  { name: "settings", show: dialog("Control+,") },
  { name: "shortcuts", show: dialog("Control+/") },
  { name: "invite", show: after((page) => menu(page, "Invite people"), says(/^five9s-/u)) },
  { name: "delete-account", show: after((page) => menu(page, "Delete account…"), says("No message is waiting for you.")) },
  { name: "right-to-left", show: opens("سلمى") },
  { name: "long-words", show: opens("Zoë") },
  { name: "empty-conversation", show: after((page) => openConversation(page, "heidi"), says("Say hello to heidi")) },
  { name: "narrow-list", viewport: NARROW, show: (page) => page.locator(".sidebar .count").first().waitFor() },
  { name: "narrow-conversation", viewport: NARROW, show: conversation },
  { name: "narrow-failed", viewport: NARROW, show: after(opens("bob"), refused("1. the printer"), refused("2. the plant"), says("2 messages were not sent.")) },
  { name: "narrow-read-only", viewport: NARROW, show: readOnly },
  {
    name: "zoom-200",
    show: after(conversation, async (page) => {
      for (let step = 0; step < 10; step++) await page.keyboard.press("Control+=");
      await settled(page);
    }),
  },
  { name: "german", show: german },
];
