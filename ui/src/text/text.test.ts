import { describe, expect, it } from "vitest";
import { de } from "./de";
import { en } from "./en";
import { isBlank, sizeInBytes, TEXT_SIZE_MAX_BYTES } from "./limit";
import { parts } from "./links";
import { briefTime, dayName, seconds } from "./time";

/** Every path to something that is said, with how it is said. */
function shape(catalogue: object, path = ""): string[] {
  return Object.entries(catalogue).flatMap(([key, value]) =>
    typeof value === "object" && !Array.isArray(value) ? shape(value, `${path}${key}.`) : `${path}${key}: ${typeof value}`,
  );
}

describe("the catalogues", () => {
  it("have the same keys in every language", () => {
    expect(shape(de)).toEqual(shape(en));
  });

  it("leave nothing unsaid", () => {
    const said = (value: unknown): unknown[] => (typeof value === "object" && value !== null ? Object.values(value).flatMap(said) : [value]);
    for (const text of [...said(en), ...said(de)]) expect(text).not.toBe("");
  });
});

describe("links", () => {
  const links = (text: string) => parts(text).flatMap((part) => (part.kind === "link" ? [part.url] : []));

  it("are http, https and mailto, and nothing else", () => {
    expect(links("see https://a.example/x and http://b.example, or mailto:c@d.example")).toEqual(["https://a.example/x", "http://b.example/", "mailto:c@d.example"]);
    expect(links("javascript:alert(1) file:///etc/passwd data:text/html,x ftp://a.example www.a.example")).toEqual([]);
  });

  it("end before the punctuation of the sentence, and keep their own brackets", () => {
    expect(links("(https://a.example/x_(y)).")).toEqual(["https://a.example/x_(y)"]);
    expect(links("Is it https://a.example/?")).toEqual(["https://a.example/"]);
  });

  it("show a host of look-alike letters in its ASCII form", () => {
    expect(links("https://аpple.example")).toEqual(["https://xn--pple-43d.example/"]);
  });

  it("are asked about where the address is not what the text says", () => {
    const odd = (text: string) => parts(text).flatMap((part) => (part.kind === "link" ? [[part.host, part.odd]] : []));
    expect(odd("https://example.org/xn--not-a-host?u=а HTTPS://Example.ORG:8080/ http://192.0.2.1/ http://[2001:db8::1]/ mailto:a@example.org")).toEqual([
      ["example.org", false], ["example.org", false], ["192.0.2.1", false], ["[2001:db8::1]", false], ["example.org", false],
    ]);
    expect(odd("https://аpple.example https://xn--pple-43d.example https://www.müller.example")).toEqual([
      ["xn--pple-43d.example", true], ["xn--pple-43d.example", true], ["www.xn--mller-kva.example", true],
    ]);
    expect(odd("https://ｂank.example http://0x7f000001/ https://b%61nk.example"), "hosts in disguise").toEqual([
      ["bank.example", true], ["127.0.0.1", true], ["bank.example", true],
    ]);
    expect(odd("https://bank.example@evil.example/ mailto:boss@аpple.example"), "another host in front").toEqual([
      ["evil.example", true], ["xn--pple-43d.example", true],
    ]);
  });

  it("leave the text as it was", () => {
    for (const text of ["", "<b>https://a.example</b> & co", "a\n\nhttps://b.example\tc", "https://"]) {
      expect(parts(text).map((part) => part.text).join("")).toBe(text);
    }
  });
});

describe("the limit", () => {
  it("counts bytes of UTF-8, as the nodes do", () => {
    expect(sizeInBytes("a".repeat(TEXT_SIZE_MAX_BYTES))).toBe(16_384);
    expect(sizeInBytes("😀".repeat(4_096))).toBe(16_384);
    expect(sizeInBytes("ß".repeat(8_193))).toBeGreaterThan(TEXT_SIZE_MAX_BYTES);
  });

  it("knows a text with nothing in it", () => {
    expect([isBlank(" \n\t "), isBlank(" x ")]).toEqual([true, false]);
  });
});

describe("times", () => {
  const now = new Date(2026, 10, 22, 15, 4).getTime();

  it("name today and yesterday", () => {
    expect(dayName(now - 3_600_000, "en-GB", now)).toBe("Today");
    expect(dayName(now - 86_400_000, "de", now)).toBe("Gestern");
    expect(dayName(now - 5 * 86_400_000, "en-GB", now)).toBe("Tuesday 17 November");
    expect(dayName(now - 400 * 86_400_000, "en-GB", now)).toContain("2025");
  });

  it("are as brief as they can be", () => {
    expect(briefTime(now, "en-GB", now)).toBe("15:04");
    expect(briefTime(now - 86_400_000, "en-GB", now)).toBe("21 Nov");
    expect(seconds(812, "de")).toBe("0,8\u00a0s");
  });
});
