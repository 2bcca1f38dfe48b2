// The names of the calls that the real back end has, as values. The type makes it an error to have one too many
// or one too few.

import type { Calls } from "./bindings";
import type { CallName } from "./index";

const calls: Record<keyof Calls, true> = {
  start: true,
  places: true,
  join: true,
  join_local: true,
  start_here: true,
  invite: true,
  create_account: true,
  log_in: true,
  resume: true,
  log_out: true,
  deletion_preview: true,
  delete_account: true,
  accounts: true,
  conversations: true,
  messages: true,
  message: true,
  search: true,
  send: true,
  pending: true,
  discard: true,
  mark_read: true,
  drafts: true,
  keep_draft: true,
  cluster: true,
  proof: true,
  export: true,
  open_link: true,
  settings: true,
  keep_settings: true,
  view: true,
};

export const REAL_CALLS: ReadonlySet<CallName> = new Set(Object.keys(calls) as CallName[]);
