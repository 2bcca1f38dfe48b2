import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const tokens = readFileSync("src/styles/tokens.css", "utf8");

/** Both colours of a token, outside of the part for more contrast. */
function pair(token: string): [string, string] {
  const found = new RegExp(`${token}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`, "u").exec(tokens);
  if (found?.[1] === undefined || found[2] === undefined) throw new Error(`no pair of colours for ${token}`);
  return [found[1], found[2]];
}

/** As WCAG 2 defines it. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const GROUNDS = ["--ground-side", "--ground", "--ground-raised", "--ground-hover", "--ground-field"];
const INKS = ["--ink", "--ink-soft", "--ink-faint", "--accent", "--good", "--warn", "--bad"];
const ON: [string, string][] = [
  ["--on-accent", "--accent"],
  ["--on-accent", "--accent-strong"],
  ["--on-accent-ground", "--accent-ground"],
  ["--on-warn-ground", "--warn-ground"],
  ["--on-bad-ground", "--bad-ground"],
  ["--on-bad", "--bad"],
];

describe("every ink can be read on every ground it is put on", () => {
  const pairs = [...ON, ...INKS.flatMap((ink) => GROUNDS.map((ground): [string, string] => [ink, ground]))];

  it.each(pairs)("%s on %s", (ink, ground) => {
    for (const scheme of [0, 1] as const) {
      expect(contrast(pair(ink)[scheme], pair(ground)[scheme])).toBeGreaterThanOrEqual(4.5);
    }
  });

  it("the edge of a field is seen", () => {
    for (const scheme of [0, 1] as const) {
      expect(contrast(pair("--line-strong")[scheme], pair("--ground-field")[scheme])).toBeGreaterThanOrEqual(3);
    }
  });
});
