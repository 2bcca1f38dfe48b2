// The language of the app: the one that was chosen, else the first of the system's that there is.

import type { Refusal } from "../backend";
import type { Catalogue } from "./catalogue";
import { de } from "./de";
import { en } from "./en";

export const LANGUAGES = { en: { name: "English", catalogue: en }, de: { name: "Deutsch", catalogue: de } } as const;

export type LanguageCode = keyof typeof LANGUAGES;

function known(tag: string): LanguageCode | null {
  const code = tag.split("-")[0] ?? "";
  return code in LANGUAGES ? (code as LanguageCode) : null;
}

function spoken(chosen: string | null): LanguageCode {
  const tags = chosen === null ? navigator.languages : [chosen];
  return tags.map(known).find((code) => code !== null) ?? "en";
}

let code = $state<LanguageCode>(spoken(null));

export function speak(chosen: string | null): void {
  code = spoken(chosen);
  document.documentElement.lang = code;
}

/** Everything there is to say, in the language of the app. */
export function t(): Catalogue {
  return LANGUAGES[code].catalogue;
}

/** For dates and numbers: the system's own variety of the language, if it has one. */
export function locale(): string {
  return navigator.languages.find((tag) => tag.split("-")[0] === code) ?? code;
}

/** A refusal as a sentence. One that the catalogue does not know comes with a sentence of its own. */
export function sentence(refusal: Refusal): string {
  const sentences: Readonly<Record<string, string>> = t().refusal;
  return sentences[refusal.code] ?? refusal.message;
}
