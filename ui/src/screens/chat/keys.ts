// The keys of the app, for the handler that obeys them and the sheet that lists them.

const apple = /Mac|iPhone|iPad/u.test(navigator.userAgent);

export const modifierName = apple ? "⌘" : "Ctrl";

/** Whether the key that goes with shortcuts on this system is down, and no other. */
export function withModifier(event: KeyboardEvent): boolean {
  return (apple ? event.metaKey : event.ctrlKey) && !event.altKey;
}

type Named = "switcher" | "search" | "searchEverywhere" | "settings" | "help" | "cluster" | "previous" | "previousUnread" | "nth" | "landmarks" | "zoom";
type InConversation = "messages" | "page" | "ends" | "oldestUnread" | "copy" | "escape";
type InComposer = "send" | "newline" | "editFailed";

const m = modifierName;

/** Each with the ways to press it; a way is keys that are held together. */
export const SHORTCUTS = {
  app: {
    switcher: [[m, "K"]],
    search: [[m, "F"]],
    searchEverywhere: [[m, "Shift", "F"]],
    cluster: [[m, "M"]],
    settings: [[m, ","]],
    help: [[m, "/"]],
    previous: [["Alt", "↑"], ["Alt", "↓"]],
    previousUnread: [["Alt", "Shift", "↑"], ["Alt", "Shift", "↓"]],
    nth: [[m, "1…9"]],
    landmarks: [["F6"], ["Shift", "F6"]],
    zoom: [[m, "+"], [m, "−"], [m, "0"]],
  } satisfies Record<Named, string[][]>,
  conversation: {
    messages: [["↑"], ["↓"]],
    page: [["PageUp"], ["PageDown"]],
    ends: [[m, "Home"], [m, "End"]],
    oldestUnread: [["Shift", "PageUp"]],
    copy: [[m, "C"]],
    escape: [["Esc"]],
  } satisfies Record<InConversation, string[][]>,
  composer: {
    send: [["Enter"], [m, "Enter"]],
    newline: [["Shift", "Enter"]],
    editFailed: [["↑"]],
  } satisfies Record<InComposer, string[][]>,
};

/** What is to be listed: whoever chose that Enter begins a line has other keys in the composer. */
export function shortcuts(enterSends: boolean): typeof SHORTCUTS {
  if (enterSends) return SHORTCUTS;
  return { ...SHORTCUTS, composer: { ...SHORTCUTS.composer, send: [[m, "Enter"]], newline: [["Enter"]] } };
}
