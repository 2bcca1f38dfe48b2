// A picture of every screen and state, in `ui/screenshots`: `npm run screenshots [-- WORD...]`. They are looked at
// by people; nothing compares them.

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { openBrowser, openPage, settled } from "./browser.mjs";
import { SCREENS } from "./screens.mjs";
import { serve } from "./serve.mjs";

const folder = fileURLToPath(new URL("../screenshots/", import.meta.url));

/** These are shown in the dark as well. */
const DARK = new Set(["welcome", "conversation", "takeover", "read-only", "failed", "failed-several", "odd-link", "search", "settings"]);

const wanted = process.argv.slice(2);
const site = await serve("dist-fake");
const browser = await openBrowser();
await mkdir(folder, { recursive: true });

for (const screen of SCREENS) {
  if (wanted.length > 0 && !wanted.some((word) => screen.name.includes(word))) continue;
  for (const scheme of DARK.has(screen.name) ? ["light", "dark"] : ["light"]) {
    const page = await openPage(browser, site.url, { scene: screen.scene, scheme, viewport: screen.viewport });
    await screen.show(page);
    await settled(page);
    const name = scheme === "dark" ? `${screen.name}-dark` : screen.name;
    await page.screenshot({ path: `${folder}${name}.png`, animations: "disabled", caret: "hide" });
    await page.context().close();
  }
}

await browser.close();
await site.stop();
