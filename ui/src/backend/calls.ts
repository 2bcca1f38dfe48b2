// The names of all calls, as values. The type makes it an error to have one too many or one too few.

import type { CallName } from "./index";

const calls: Record<CallName, true> = {
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
  send: true,
  pending: true,
  discard: true,
  mark_read: true,
  drafts: true,
  keep_draft: true,
  cluster: true,
  proof: true,
  search: true,
  export: true,
  open_link: true,
  settings: true,
  keep_settings: true,
  view: true,
};

export const ALL_CALLS: ReadonlySet<CallName> = new Set(Object.keys(calls) as CallName[]);
