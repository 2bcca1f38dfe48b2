import { cleanup, render, screen } from "@testing-library/svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import { App } from "../app/app";
import { FakeBackend } from "../backend/fake/backend";
import type { State } from "../state/state";
import Root from "./Root.svelte";

afterEach(cleanup);

describe("a screen that cannot be drawn", () => {
  it("says so and offers to open it again, instead of standing still", async () => {
    const reported = vi.fn();
    // As browsers have it, which call it for nobody else.
    vi.stubGlobal("reportError", function (this: unknown, thrown: unknown) {
      if (this !== undefined && this !== globalThis) throw new TypeError("Illegal invocation");
      reported(thrown);
    });
    const app = new App(new FakeBackend());
    render(Root, { props: { app } });
    await vi.waitUntil(() => app.store.state.stage === "chat");
    expect(screen.queryByRole("alert")).toBeNull();
    // No such state is known. That is what this is for.
    app.store.state = { ...app.store.state, drafts: null } as unknown as State;
    const alert = await screen.findByRole("alert");
    expect(alert.textContent).toContain("Your messages are safe.");
    expect(screen.getByRole("button", { name: "Open it again" })).toBeTruthy();
    expect(reported).toHaveBeenCalled();
    vi.unstubAllGlobals();
  });
});
