// The part of a text where what was looked for is, with the words that were found.

export interface Piece {
  text: string;
  found: boolean;
}

/** What is shown before the first word that was found. */
const LEAD = 40;

export function excerpt(text: string, asked: string): Piece[] {
  const words = asked.toLocaleLowerCase().split(/\s+/u).filter((word) => word !== "");
  const lower = text.toLocaleLowerCase();
  // Some letters change their length with their case; then the places would not fit, and nothing is marked.
  if (words.length === 0 || lower.length !== text.length) return [{ text, found: false }];
  const first = Math.min(...words.map((word) => lower.indexOf(word)).filter((at) => at >= 0), text.length);
  const from = first > LEAD * 2 && first < text.length ? first - LEAD : 0;
  const pieces: Piece[] = from > 0 ? [{ text: "… ", found: false }] : [];
  for (let at = from; at < text.length; ) {
    const next = nearest(lower, words, at);
    if (next === null) {
      pieces.push({ text: text.slice(at), found: false });
      break;
    }
    if (next.from > at) pieces.push({ text: text.slice(at, next.from), found: false });
    pieces.push({ text: text.slice(next.from, next.to), found: true });
    at = next.to;
  }
  return pieces;
}

function nearest(lower: string, words: readonly string[], at: number): { from: number; to: number } | null {
  let best: { from: number; to: number } | null = null;
  for (const word of words) {
    const from = lower.indexOf(word, at);
    if (from >= 0 && (best === null || from < best.from)) best = { from, to: from + word.length };
  }
  return best;
}
