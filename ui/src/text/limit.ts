// How long a message may be. The nodes refuse a longer one; the composer says so before it is written.

/** In bytes of UTF-8, as the nodes count. */
export const TEXT_SIZE_MAX_BYTES = 16 * 1024;

/** From here on the composer shows what is left. */
export const TEXT_SIZE_NOTICE_BYTES = TEXT_SIZE_MAX_BYTES - 2 * 1024;

const encoder = new TextEncoder();

export function sizeInBytes(text: string): number {
  // Not worth encoding a text that is short in any script.
  return text.length * 3 < TEXT_SIZE_NOTICE_BYTES ? text.length : encoder.encode(text).length;
}

export function isBlank(text: string): boolean {
  return text.trim() === "";
}
