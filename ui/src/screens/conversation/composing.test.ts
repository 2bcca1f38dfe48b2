import { describe, expect, it } from "vitest";
import { TEXT_SIZE_MAX_BYTES, TEXT_SIZE_NOTICE_BYTES } from "../../text/limit";
import { composed, meant, oneAtATime, type Pressed } from "./composing";

const key = (name: string, more: Partial<Pressed> = {}): Pressed => ({
  key: name, shiftKey: false, altKey: false, ctrlKey: false, metaKey: false, isComposing: false, keyCode: 0, ...more,
});

describe("a text", () => {
  it("without anything in it is not sent", () => {
    for (const text of ["", " ", "\n\t\n"]) expect(composed(text)).toEqual({ size: "fine", sendable: false });
    expect(composed(" ".repeat(TEXT_SIZE_MAX_BYTES))).toEqual({ size: "near", sendable: false, left_bytes: 0 });
  });

  it("is told of the limit before it is there, to the byte, and never cut", () => {
    const size = (bytes: number) => composed("x".repeat(bytes));
    expect(size(TEXT_SIZE_NOTICE_BYTES - 1)).toEqual({ size: "fine", sendable: true });
    expect(size(TEXT_SIZE_NOTICE_BYTES)).toEqual({ size: "near", sendable: true, left_bytes: 2_048 });
    expect(size(TEXT_SIZE_MAX_BYTES)).toEqual({ size: "near", sendable: true, left_bytes: 0 });
    expect(size(TEXT_SIZE_MAX_BYTES + 1)).toEqual({ size: "over", sendable: false, over_bytes: 1 });
    expect(composed("ß".repeat(8_193))).toEqual({ size: "over", sendable: false, over_bytes: 2 });
  });
});

describe("Enter", () => {
  const act = (pressed: Partial<Pressed>, enterSends: boolean) => meant(key("Enter", pressed), "hello", enterSends);

  it("sends, alone or with Ctrl or Cmd, and begins a line with Shift", () => {
    expect([act({}, true), act({ ctrlKey: true }, true), act({ metaKey: true }, true)]).toEqual(["send", "send", "send"]);
    expect([act({ shiftKey: true }, true), act({ altKey: true }, true)]).toEqual([null, null]);
  });

  it("begins a line, and sends with Ctrl or Cmd, for those who chose so", () => {
    expect([act({}, false), act({ shiftKey: true }, false)]).toEqual([null, null]);
    expect([act({ ctrlKey: true }, false), act({ metaKey: true }, false)]).toEqual(["send", "send"]);
  });

  it("never sends while an input method composes", () => {
    for (const enterSends of [true, false]) {
      expect([act({ isComposing: true, ctrlKey: true }, enterSends), act({ keyCode: 229, ctrlKey: true }, enterSends)]).toEqual([null, null]);
    }
  });
});

describe("the arrow up", () => {
  it("takes back what was refused into an empty field, and moves in any other", () => {
    expect([meant(key("ArrowUp"), "", true), meant(key("ArrowUp"), "x", true)]).toEqual(["take_back", null]);
  });
});

describe("sending", () => {
  it("again while one is under way waits for it, and happens once", async () => {
    const ended: (() => void)[] = [];
    const send = oneAtATime(() => new Promise((resolve) => ended.push(resolve)));
    const all = Promise.all([send(), send(), send()]);
    expect(ended).toHaveLength(1);
    ended[0]!();
    await Promise.resolve();
    await Promise.resolve();
    expect(ended).toHaveLength(2);
    ended[1]!();
    await all;
    expect(ended).toHaveLength(2);
  });

  it("that is refused can be tried anew", async () => {
    let tries = 0;
    const send = oneAtATime(async () => {
      tries += 1;
      if (tries === 1) throw new Error("full");
    });
    await expect(send()).rejects.toThrow("full");
    await send();
    expect(tries).toBe(2);
  });
});
