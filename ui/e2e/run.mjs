// Drives the built page, with the fake back end, in headless Chromium: `npm run e2e [-- WORD...]` runs the checks
// whose name has one of the words in it.

import { openBrowser, openPage } from "./browser.mjs";
import { runChecks } from "./check.mjs";
import { serve } from "./serve.mjs";
import "./timeline.mjs";
import "./chat.mjs";
import "./failover.mjs";
import "./keyboard.mjs";
import "./first-run.mjs";
import "./accessibility.mjs";
import "./scrolling.mjs";

const site = await serve("dist-fake");
const browser = await openBrowser();

const world = {
  async open() {
    const pages = [];
    return {
      /** A page of its own; the options are those of `openPage`. */
      async page(options) {
        const page = await openPage(browser, site.url, options);
        pages.push(page);
        return page;
      },
      troubles: () => pages.flatMap((page) => page.troubles),
      close: () => Promise.all(pages.map((page) => page.context().close())),
    };
  },
};

const failed = await runChecks(world, process.argv.slice(2));
await browser.close();
await site.stop();
process.exitCode = failed === 0 ? 0 : 1;
