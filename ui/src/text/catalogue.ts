// What a language has to say: the keys and parameters of the English catalogue.

import type { en } from "./en";

type Same<T> = T extends (...args: infer A) => string
  ? (...args: A) => string
  : T extends string
    ? string
    : T extends readonly string[]
      ? readonly string[]
      : { readonly [K in keyof T]: Same<T[K]> };

export type Catalogue = Same<typeof en>;
