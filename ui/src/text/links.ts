// Links in the text of a message. The text stays text: this only says which parts of it a click opens.

/** `host`: as it will be opened. `odd`: that is not what the text says, so it is asked about before. */
export type Link = { kind: "link"; text: string; url: string; host: string; odd: boolean };
export type Part = { kind: "text"; text: string } | Link;

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

/** The host as the browser will look it up: every look-alike letter in its ASCII form; null if it is none. */
function asciiHost(host: string): string | null {
  const address = `https://${host}/`;
  return URL.canParse(address) ? new URL(address).hostname : null;
}

/** A link, with the address as it will be opened; null if it is none. */
function linked(text: string): Link | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.protocol === "mailto:") {
    const mail = decoded(url.pathname);
    const host = mail.includes("@") ? asciiHost(mail.slice(mail.lastIndexOf("@") + 1)) : null;
    return host === null ? null : { kind: "link", text, url: url.href, host, odd: isOdd(mail, host) };
  }
  if (url.hostname === "") return null;
  // A name before the host can be made to look like one.
  const odd = isOdd(text, url.hostname) || url.username !== "" || url.password !== "";
  return { kind: "link", text, url: url.href, host: url.hostname, odd };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether the host is not to be seen in what is written, or only in a code that people cannot read. */
function isOdd(written: string, host: string): boolean {
  return !written.toLowerCase().includes(host) || host.split(".").some((label) => label.startsWith("xn--"));
}

export function parts(text: string): Part[] {
  const found: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const link = trimmed(match[0]);
    const part = linked(link);
    if (part === null) continue;
    if (match.index > from) found.push({ kind: "text", text: text.slice(from, match.index) });
    found.push(part);
    from = match.index + link.length;
  }
  if (from < text.length) found.push({ kind: "text", text: text.slice(from) });
  return found;
}
