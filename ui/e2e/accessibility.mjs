// axe-core on every screen, in light and dark: no violation.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { assert, check } from "./check.mjs";
import { settled } from "./browser.mjs";
import { SCREENS } from "./screens.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

for (const scheme of ["light", "dark"]) {
  for (const screen of SCREENS) {
    check(`accessibility: ${screen.name}, ${scheme}`, async (context) => {
      const page = await context.page({ scene: screen.scene, scheme, viewport: screen.viewport });
      await screen.show(page);
      await settled(page);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const found = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}\n${node.failureSummary}`));
      assert.deepEqual(found, []);
    });
  }
}
