// Several messages as plain text, as they are saved to a file: a line each, with when and who.

import type { Row } from "../state/rows";

/** A message's own further lines stand under its first, so that no line can pose as somebody's message. */
const INDENT = "\n    ";

export function transcript(rows: readonly Row[], me: string): string {
  return rows.flatMap((row) => lineOf(row, me)).join("\n");
}

function lineOf(row: Row, me: string): string[] {
  switch (row.kind) {
    case "message":
      return [line(row.message.sent_at, row.message.from.name, row.message.text)];
    case "outgoing":
      return [line(row.outgoing.queued_at, me, row.outgoing.text)];
    case "takeover":
      return [];
  }
}

function line(at: number, name: string, text: string): string {
  return `[${stamp(new Date(at))}] ${name}: ${text.replace(/\r\n|[\r\n]/gu, INDENT)}`;
}

/** In this computer's time zone; the same in every language. */
function stamp(at: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
