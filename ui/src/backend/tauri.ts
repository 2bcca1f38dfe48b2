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
      const channel = new Channel<Update>((update) => {
        try {
          handler(update);
        } catch (thrown) {
          // The channel would wait for this update for ever, and tell of none that comes after it.
          reportError(thrown);
        }
      });
      void invoke("subscribe", { channel });
      return () => {
        channel.onmessage = () => {};
      };
    },
  };
}
