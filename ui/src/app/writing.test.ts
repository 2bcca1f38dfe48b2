import { beforeEach, describe, expect, it, vi } from "vitest";
import { FakeBackend } from "../backend/fake/backend";
import type { CallName } from "../backend";
import { refusedOf } from "../state/outbox";
import { Store } from "./store.svelte";
import { Writing } from "./writing";

/** Longer than anything here takes. */
const A_WHILE_MS = 2_000;

let backend: FakeBackend;
let store: Store;
let writing: Writing;
let bob: number;

beforeEach(async () => {
  vi.useFakeTimers();
  backend = new FakeBackend();
  store = new Store();
  writing = new Writing(backend, store);
  backend.subscribe((update) => store.dispatch({ type: "update", update, at: performance.now() }));
  const start = backend.call("start", {});
  const accounts = backend.call("accounts", { prefix: null, after: null, limit: 200 });
  await vi.advanceTimersByTimeAsync(A_WHILE_MS);
  store.dispatch({ type: "started", start: await start, at: 0 });
  store.dispatch({ type: "accounts_loaded", accounts: (await accounts).items });
  bob = backend.server.recipient({ name: "bob" }).id;
  backend.calls.length = 0;
  return () => vi.useRealTimers();
});

const made = (...names: CallName[]) => backend.calls.filter((call) => names.includes(call.name));
const typed = () => store.state.drafts.get(bob) ?? "";
const onDisk = () => backend.server.drafts.get(bob) ?? "";

describe("a draft", () => {
  it("is on disk within half a second of a key, however many there were", async () => {
    for (const text of ["h", "he", "hel"]) {
      writing.draft(bob, text);
      await vi.advanceTimersByTimeAsync(150);
    }
    await vi.advanceTimersByTimeAsync(350);
    expect(onDisk()).toBe("hel");
  });

  it("is on disk at once when the window goes", async () => {
    writing.draft(bob, "hello");
    writing.flush();
    expect(made("keep_draft").map((call) => call.request)).toEqual([{ with: bob, text: "hello" }]);
  });
});

describe("sending", () => {
  it("brings back no words that were deleted before the text was sent", async () => {
    writing.draft(bob, "at five or six");
    await vi.advanceTimersByTimeAsync(A_WHILE_MS);
    writing.draft(bob, "at five");
    const sent = writing.send(bob, "at five");
    await vi.advanceTimersByTimeAsync(A_WHILE_MS);
    await sent;
    expect([typed(), onDisk()]).toEqual(["", ""]);
  });

  it("moves the draft into the outbox by one call, and writes nothing after it", async () => {
    writing.draft(bob, "hello");
    await vi.advanceTimersByTimeAsync(A_WHILE_MS);
    const sent = writing.send(bob, "hello");
    expect(typed()).toBe("hello");
    await vi.advanceTimersByTimeAsync(A_WHILE_MS);
    await sent;
    expect(backend.calls.map((call) => call.name)).toEqual(["keep_draft", "send_draft"]);
    expect([typed(), onDisk()]).toEqual(["", ""]);
  });

  it("comes after a draft that is being kept, which would bring it back", async () => {
    backend.delay_ms = 400;
    writing.draft(bob, "hello");
    writing.flush();
    const sent = writing.send(bob, "hello");
    expect(made("send_draft")).toEqual([]);
    await vi.advanceTimersByTimeAsync(A_WHILE_MS);
    await sent;
    expect(backend.calls.map((call) => call.name)).toEqual(["keep_draft", "send_draft"]);
    expect(onDisk()).toBe("");
  });

  it("leaves what was typed meanwhile, on the screen and on disk", async () => {
    backend.delay_ms = 400;
    writing.draft(bob, "hello");
    const sent = writing.send(bob, "hello");
    writing.draft(bob, "hello, bob");
    await vi.advanceTimersByTimeAsync(A_WHILE_MS);
    await sent;
    expect([typed(), onDisk()]).toEqual([", bob", ", bob"]);
  });

  it("that the outbox does not take keeps the draft, on disk too", async () => {
    const long = "x".repeat(20_000);
    writing.draft(bob, long);
    const sent = writing.send(bob, long).catch((refusal: unknown) => refusal);
    await vi.advanceTimersByTimeAsync(A_WHILE_MS);
    expect(await sent).toMatchObject({ code: "text_too_long" });
    expect([typed(), onDisk()]).toEqual([long, long]);
  });
});

describe("what was refused", () => {
  const refuse = async (text: string) => {
    backend.server.refuseNext = { code: "storage_full", message: "" };
    const sent = writing.send(bob, text);
    await vi.advanceTimersByTimeAsync(A_WHILE_MS);
    await sent;
  };
  const refused = () => refusedOf(store.state.outbox, bob);

  it("is sent again as a whole, in the order in which it was written", async () => {
    for (const text of ["one", "two", "three"]) await refuse(text);
    expect(refused().map((each) => each.text)).toEqual(["one", "two", "three"]);
    const ids = refused().map((each) => each.id);
    const again = writing.resendAll(refused());
    await vi.advanceTimersByTimeAsync(A_WHILE_MS);
    await again;
    expect(store.state.outbox).toEqual([]);
    const talk = backend.server.messages({ account: bob }, null, null, 3).page.items;
    expect(talk.map((each) => each.text)).toEqual(["one", "two", "three"]);
    expect(talk.map((each) => each.id)).toEqual(ids);
  });

  it("comes back into the field before what is in it, and is a draft on disk before it is forgotten", async () => {
    await refuse("the first try");
    const [failed] = refused();
    writing.draft(bob, "and more");
    const edited = writing.edit(failed!);
    await vi.advanceTimersByTimeAsync(A_WHILE_MS);
    await edited;
    expect(typed()).toBe("the first try\nand more");
    expect(made("keep_draft", "discard").map((call) => call.name)).toEqual(["keep_draft", "discard"]);
    expect([onDisk(), refused().length]).toEqual(["the first try\nand more", 0]);
  });
});
