// A browser with the built page in it.

import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--font-render-hinting=none",
  "--disable-lcd-text",
];

export async function openBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });
}

const WIDE = { width: 1280, height: 800 };

/** A page of its own, with nothing kept. Whatever it logs as an error, or its policy forbids, ends up in `page.troubles`. */
export async function openPage(browser, url, { scene = "chat", scheme = "light", viewport = WIDE, ...more } = {}) {
  const context = await browser.newContext({
    viewport,
    colorScheme: scheme,
    reducedMotion: "reduce",
    locale: "en-GB",
    permissions: ["clipboard-read", "clipboard-write"],
    ...more,
  });
  const page = await context.newPage();
  page.troubles = [];
  page.on("console", (message) => message.type() === "error" && page.troubles.push(message.text()));
  page.on("pageerror", (error) => page.troubles.push(String(error)));
  await page.goto(`${url}?scene=${scene}`);
  await page.locator("#app > *").first().waitFor();
  return page;
}

/** Opens the conversation with that person from the sidebar, and waits for its messages. */
export async function openConversation(page, name) {
  await page.locator(".sidebar button", { has: page.locator(".name", { hasText: new RegExp(`^${name}$`, "u") }) }).first().click();
  await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
}

export function composer(page) {
  return page.locator("main textarea");
}

/** Waits until two frames in a row were drawn: everything that follows from a change has happened. */
export async function settled(page) {
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}
