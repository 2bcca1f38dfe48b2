// Chance that comes out the same each time.

/** A number from 0 to 2³²−1 that looks random and follows from the two given. */
export function scatter(seed: number, index: number): number {
  let x = (seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
}

export function pick<T>(items: readonly T[], seed: number, index: number): T {
  const item = items[scatter(seed, index) % items.length];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** An identifier in the form of a ULID: its first characters follow from the place in the log. */
export function ulid(cursor: number): string {
  let id = "01";
  for (let place = 0; place < 24; place++) {
    id += LETTERS[place < 8 ? (cursor >>> ((7 - place) * 4)) & 15 : scatter(cursor, place) % 32];
  }
  return id;
}
