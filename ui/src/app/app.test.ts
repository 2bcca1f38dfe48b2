import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeBackend } from "../backend/fake/backend";
import { App } from "./app";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("an app that is opened while every node is dead", () => {
  it("says that it looks for one, though nothing ever happens", async () => {
    const backend = new FakeBackend();
    for (const node of ["n1", "n2", "n3"]) backend.server.cluster.kill(node);
    await vi.advanceTimersByTimeAsync(10_000);
    const app = new App(backend);
    const stop = app.start();
    await vi.advanceTimersByTimeAsync(500);
    expect(app.store.state.connection.notice).toBeNull();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(app.store.state.connection.notice).toBe("reconnecting");
    stop();
  });
});
