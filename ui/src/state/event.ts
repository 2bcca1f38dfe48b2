// Everything that can happen to the state.

import type { Account, Cluster, Conversation, Draft, Login, Message, Page, Pending, Place, Refusal, Settings, Start, Update } from "../backend";
import type { PersonId } from "./state";

export type Event =
  /** The back end told something. `at`: milliseconds of a clock that only goes forward. */
  | { type: "update"; update: Update; at: number }
  /** Time went by, while there was something to wait for. */
  | { type: "tick"; at: number }
  | { type: "started"; start: Start; at: number }
  | { type: "places_found"; places: Place[] }
  | { type: "joined" }
  | { type: "signed_in"; login: Login }
  | { type: "signed_out"; ended: Refusal | null; forget: string | null }
  | { type: "accounts_loaded"; accounts: Account[] }
  | { type: "conversations_loaded"; conversations: Conversation[] }
  /** The outbox is asked for, the `load`th time. */
  | { type: "pending_loading"; load: number }
  /** And that was answered; null: it could not be. */
  | { type: "pending_loaded"; load: number; pending: Pending[] | null }
  | { type: "drafts_loaded"; drafts: Draft[] }
  | { type: "draft_changed"; draft: Draft }
  | { type: "cluster_loaded"; cluster: Cluster }
  | { type: "settings_changed"; settings: Settings }
  | { type: "opened"; with: PersonId }
  | { type: "closed" }
  | { type: "divider_dismissed" }
  | { type: "followed"; following: boolean }
  | { type: "window_loading"; with: PersonId; part: "older" | "newer" | "whole" }
  | { type: "window_failed"; with: PersonId }
  /** The latest messages, or those on both sides of `target`. */
  | { type: "window_loaded"; with: PersonId; before: Page<Message>; after: Page<Message> | null; target: number | null }
  | { type: "window_extended"; with: PersonId; part: "older" | "newer"; page: Page<Message> }
  | { type: "read_marked"; with: PersonId; up_to: number }
  | { type: "discarded"; id: string };

