// The back end of the tests: the same calls over a WebSocket, so that a browser can drive this page against
// real nodes. The page's address says where, in `bridge`: `?bridge=ws://127.0.0.1:4000/?token=…`.

import { asRefusal, type Backend, type Refusal, type Update } from "./index";

type Frame = { id: number; ok: unknown } | { id: number; err: Refusal } | { update: Update };

interface Waiting {
  resolve(answer: never): void;
  reject(refusal: Refusal): void;
}

export function open(): Backend {
  const address = new URLSearchParams(location.search).get("bridge");
  if (address === null) {
    throw new Error("the page's address names no bridge");
  }
  const socket = new WebSocket(address);
  const opened = new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve(), { once: true });
    socket.addEventListener("close", () => reject(asRefusal("the bridge is closed")), { once: true });
  });
  // A call that finds the bridge closed says so itself.
  opened.catch(() => {});

  const waiting = new Map<number, Waiting>();
  const handlers = new Set<(update: Update) => void>();
  // Updates that come before anybody listens; the first to subscribe gets them.
  let early: Update[] = [];
  let lastId = 0;

  socket.addEventListener("message", (event) => {
    const frame = JSON.parse(String(event.data)) as Frame;
    if ("update" in frame) {
      if (handlers.size === 0) early.push(frame.update);
      for (const handler of handlers) handler(frame.update);
      return;
    }
    const caller = waiting.get(frame.id);
    waiting.delete(frame.id);
    if ("err" in frame) caller?.reject(frame.err);
    else caller?.resolve(frame.ok as never);
  });
  socket.addEventListener("close", () => {
    for (const caller of waiting.values()) caller.reject(asRefusal("the bridge is closed"));
    waiting.clear();
  });

  return {
    async call(call, args) {
      await opened;
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        socket.send(JSON.stringify({ id, call, args }));
      });
    },
    subscribe(handler) {
      handlers.add(handler);
      for (const update of early) handler(update);
      early = [];
      return () => handlers.delete(handler);
    },
  };
}
