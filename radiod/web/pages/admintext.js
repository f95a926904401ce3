/** What other people wrote, as it may stand on this page: one line of letters that are what they look like. */

/** Whatever does not show, turns text around, or is a space that is none. */
const UNSEEN = /\p{C}|\p{Zl}|\p{Zp}|(?! )\p{Zs}/gu;
/** More marks above each other than any language has. */
const PILES = /(\p{M}{4})\p{M}+/gu;

/**
 * Text of a client, of a name, or of the log: never markup, and without a character that does something.
 *
 * @param {unknown} text
 * @param {number} [most] characters
 */
export function shown(text, most = 160) {
  const all = [...String(text)];
  const cut = all.length > most ? [...all.slice(0, most - 1), "…"] : all;
  return cut
    .join("")
    .replace(UNSEEN, (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`)
    .replace(PILES, "$1…");
}

/** The same for lines: a line end is one. @param {unknown} text */
export function lines(text) {
  return String(text)
    .split("\n")
    .map((line) => shown(line, 600))
    .join("\n");
}

/** An element that stands by itself, whichever way its text runs. @param {string} text */
export function isolated(text) {
  const element = document.createElement("bdi");
  element.textContent = text;
  return element;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** @param {number} count */
export function bytes(count) {
  let unit = 0;
  let value = count;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}
