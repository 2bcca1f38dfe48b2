import { cleanup, fireEvent, render, screen } from "@testing-library/svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { App, contextOf } from "../../app/app";
import { FakeBackend } from "../../backend/fake/backend";
import { sendState } from "../../state/outbox";
import Composer from "./Composer.svelte";

/** Longer than anything here takes. */
const A_WHILE_MS = 3_000;

let backend: FakeBackend;
let app: App;
let stop: () => void;
let bob: number;

beforeEach(async () => {
  vi.useFakeTimers();
  backend = new FakeBackend();
  bob = backend.server.recipient({ name: "bob" }).id;
  app = new App(backend);
  stop = app.start();
  await awhile();
  backend.calls.length = 0;
});

afterEach(() => {
  cleanup();
  stop();
  vi.useRealTimers();
});

const awhile = (ms = A_WHILE_MS) => vi.advanceTimersByTimeAsync(ms);
const field = () => screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Message bob" });
const button = () => screen.getByRole<HTMLButtonElement>("button", { name: "Send" });
const about = () => document.getElementById(field().getAttribute("aria-describedby") ?? "")?.textContent?.trim();
const waiting = () => app.store.state.outbox.map((each) => [each.text, sendState(each, app.store.state.connection)]);
const sent = () => backend.calls.filter((call) => call.name === "send_draft").map((call) => (call.request as { text: string }).text);

function open() {
  const onsent = vi.fn();
  render(Composer, { props: { person: bob, name: "bob", onsent }, context: contextOf(app) });
  return onsent;
}

const type = (text: string) => fireEvent.input(field(), { target: { value: text } });
/** Answers whether the field itself makes of the key what it always does. */
const press = (key: string, more: KeyboardEventInit = {}) => fireEvent.keyDown(field(), { key, ...more });

describe("the composer", () => {
  it("is empty: it has the focus, says how to send, and has nothing to send", async () => {
    open();
    expect(document.activeElement).toBe(field());
    expect([field().value, button().disabled, about()]).toEqual(["", true, "Enter sends, Shift+Enter begins a line"]);
    await press("Enter");
    await type(" \n ");
    await press("Enter");
    await awhile();
    expect([sent(), button().disabled]).toEqual([[], true]);
  });

  it("is typed into: what is in it is a draft, and goes with Enter or the button", async () => {
    const onsent = open();
    await type("hello");
    expect(app.store.state.drafts.get(bob)).toBe("hello");
    expect(button().disabled).toBe(false);
    expect(await press("Enter"), "no line is begun").toBe(false);
    await awhile();
    await type("again");
    await fireEvent.click(button());
    await awhile();
    expect([sent(), field().value]).toEqual([["hello", "again"], ""]);
    expect(onsent).toHaveBeenCalledTimes(2);
  });

  it("is near the limit: says what is left", async () => {
    open();
    await type("x".repeat(15_000));
    expect([about(), button().disabled, field().getAttribute("aria-invalid")]).toEqual(["1.4 kB left", false, null]);
  });

  it("is over the limit: says by how much, sends nothing and cuts nothing", async () => {
    open();
    await type("x".repeat(17_000));
    expect(about()).toMatch(/^616 byte too long\./u);
    expect([button().disabled, field().getAttribute("aria-invalid")]).toEqual([true, "true"]);
    await press("Enter");
    await awhile();
    expect([sent(), field().value.length]).toEqual([[], 17_000]);
  });

  it("is sending: keeps the text until the outbox has it, and what is typed meanwhile", async () => {
    open();
    backend.delay_ms = 500;
    await type("one");
    await press("Enter");
    await awhile(200);
    expect(field().value).toBe("one");
    await type("one two");
    await press("Enter");
    await awhile(350);
    expect([sent(), field().value]).toEqual([["one", " two"], " two"]);
    await awhile();
    expect(field().value).toBe("");
  });

  it("is sending: what the outbox does not take stays, and says why", async () => {
    open();
    await type("one");
    vi.spyOn(backend.server, "send").mockImplementation(() => {
      throw { code: "busy", message: "" };
    });
    await press("Enter");
    await awhile(100);
    expect(field().value).toBe("one");
    expect(app.notices.shown.map((notice) => [notice.text, notice.bad])).toEqual([["The machines are busy. Try again in a moment.", true]]);
  });

  it.each([
    ["read-only", ["n1", "n3"]],
    ["offline", ["n1", "n2", "n3"]],
  ])("is %s: takes what is typed, which waits in its order", async (_, nodes) => {
    open();
    for (const node of nodes) backend.server.cluster.kill(node);
    await awhile();
    expect(app.store.state.connection.notice).not.toBeNull();
    for (const text of ["one", "two"]) {
      await type(text);
      await press("Enter");
      await awhile();
    }
    expect([field().value, field().disabled]).toEqual(["", false]);
    expect(waiting()).toEqual([["one", "queued"], ["two", "queued"]]);
  });

  it("has a refused message taken back: in the field, to be mended and sent", async () => {
    open();
    backend.server.refuseNext = { code: "storage_full", message: "" };
    await type("first try");
    await press("Enter");
    await awhile();
    expect(waiting()).toEqual([["first try", "failed"]]);
    expect(await press("ArrowUp")).toBe(false);
    await awhile();
    expect([field().value, waiting()]).toEqual(["first try", []]);
    expect(await press("ArrowUp"), "the arrow moves in a text").toBe(true);
  });

  it("is composed in by an input method: Enter chooses a word, and the next one sends", async () => {
    open();
    await type("にほん");
    await press("Enter", { isComposing: true });
    await press("Enter", { keyCode: 229 });
    await awhile();
    expect([sent(), field().value]).toEqual([[], "にほん"]);
    await press("Enter");
    await awhile();
    expect(sent()).toEqual(["にほん"]);
  });

  it("is pasted into: keeps the lines, and sends them as one message", async () => {
    open();
    const lines = "first\n\tsecond, indented\n\nfourth";
    field().setRangeText(lines);
    await fireEvent.input(field(), { inputType: "insertFromPaste" });
    expect(await press("Enter", { shiftKey: true }), "begins a line").toBe(true);
    await press("Enter");
    await awhile();
    expect(sent()).toEqual([lines]);
  });

  it("is opened again: has the draft that was left", async () => {
    app.store.dispatch({ type: "drafts_loaded", drafts: [{ with: bob, text: "half a thou" }] });
    open();
    expect([field().value, button().disabled]).toEqual(["half a thou", false]);
    await press("Enter");
    await awhile();
    expect(sent()).toEqual(["half a thou"]);
  });

  it("sends with Ctrl+Enter for those who chose that Enter begins a line", async () => {
    app.preferences.change({ enter_sends: false });
    open();
    expect(about()).toBe("Ctrl+Enter sends, Enter begins a line");
    await type("hello");
    expect(await press("Enter"), "begins a line").toBe(true);
    await press("Enter", { ctrlKey: true });
    await awhile();
    expect(sent()).toEqual(["hello"]);
  });
});
