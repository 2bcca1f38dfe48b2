// The back end of the desktop app: two commands of the shell, and one ordered channel.

import { Channel, invoke } from "@tauri-apps/api/core";
import { asRefusal, type Answer, type Backend, type Update } from "./index";

export function open(): Backend {
  return {
    async call(call, args) {
      try {
        return await invoke<Answer<typeof call>>("rpc", { request: { call, args } });
      } catch (thrown) {
        throw asRefusal(thrown);
      }
    },
    subscribe(handler) {
      const channel = new Channel<Update>(handler);
      void invoke("subscribe", { channel });
      return () => {
        channel.onmessage = () => {};
      };
    },
  };
}
