/** The page's elements by name, and the few ways their content is changed. All text is set as text. */

/** @param {string} id @returns {any} the element; every id used is in index.html */
export function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no element ${id}`);
  return found;
}

/** Set an element's text, when it differs. @param {string} id @param {string} text */
export function write(id, text) {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
}

/** Show these elements and hide those. @param {string[]} shown @param {string[]} hidden */
export function reveal(shown, hidden) {
  for (const id of shown) element(id).hidden = false;
  for (const id of hidden) element(id).hidden = true;
}

/** @returns {"light" | "dark"} what the reader's system prefers */
export function theme() {
  return darkness.matches ? "dark" : "light";
}

const darkness = matchMedia("(prefers-color-scheme: dark)");

/** @param {() => void} act when the reader's preference changes */
export function onTheme(act) {
  darkness.addEventListener("change", act);
}
