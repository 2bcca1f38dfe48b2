// Links in the text of a message. The text stays text: this only says which parts of it a click opens.

export type Part = { kind: "text"; text: string } | { kind: "link"; text: string; url: string };

// Only these schemes ever become a link; `javascript:`, `file:` and the like stay text.
const LINK = /\b(?:https?:\/\/|mailto:)[^\s<>"'`\u0000-\u001f\u202a-\u202e\u2066-\u2069]+/giu;

/** Punctuation at the end belongs to the sentence, and a closing bracket to the one that opened before the link. */
function trimmed(link: string): string {
  let end = link.length;
  for (;;) {
    const last = link[end - 1] ?? "";
    const inside = link.slice(0, end);
    if (/[.,;:!?*_~…]/u.test(last)) end -= 1;
    else if (last === ")" && count(inside, "(") < count(inside, ")")) end -= 1;
    else if (last === "]" && count(inside, "[") < count(inside, "]")) end -= 1;
    else return inside;
  }
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

/** The address as it will be opened, with a foreign-looking host in its ASCII form; null if it is none. */
function parsed(link: string): string | null {
  if (!URL.canParse(link)) return null;
  const url = new URL(link);
  const named = url.protocol === "mailto:" ? url.pathname.includes("@") : url.hostname !== "";
  return named ? url.href : null;
}

export function parts(text: string): Part[] {
  const found: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const link = trimmed(match[0]);
    const url = parsed(link);
    if (url === null) continue;
    if (match.index > from) found.push({ kind: "text", text: text.slice(from, match.index) });
    found.push({ kind: "link", text: link, url });
    from = match.index + link.length;
  }
  if (from < text.length) found.push({ kind: "text", text: text.slice(from) });
  return found;
}
