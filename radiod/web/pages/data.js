/** The panel for channels without a map: the latest sample as JSON, its parts told apart by colour. */

const MOST_LINES = 300;
const MOST_CHARACTERS = 20_000;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\b(?:true|false|null)\b/g;

/** @param {unknown} value @returns {value is Record<string, any>} */
export function isDictionary(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Indented JSON, short lists and objects on one line.
 *
 * @param {unknown} value
 * @param {string} [indent]
 * @returns {string}
 */
export function pretty(value, indent = "") {
  const flat = JSON.stringify(value) ?? "null";
  if (typeof value !== "object" || value === null || indent.length > 12) return flat;
  const spaced = flat.length <= 60 && !Object.values(value).some((part) => typeof part === "object" && part);
  if (spaced && Array.isArray(value)) return `[${value.map((part) => JSON.stringify(part)).join(", ")}]`;
  const deeper = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.slice(0, MOST_LINES).map((part) => pretty(part, deeper))
    : Object.entries(value)
        .slice(0, MOST_LINES)
        .map(([key, part]) => `${JSON.stringify(key)}: ${pretty(part, deeper)}`);
  if (parts.length === 0) return flat;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${parts.map((part) => deeper + part).join(",\n")}\n${indent}${close}`;
}

/** @param {unknown} value */
function readable(value) {
  try {
    return pretty(value);
  } catch {
    return "nested too deeply to be shown"; // RangeError: the engine's stack is the limit.
  }
}

/** @param {string} text of JSON @returns {string} no longer than a panel can show */
function shortened(text) {
  const lines = text.split("\n");
  const short = lines.slice(0, MOST_LINES).join("\n").slice(0, MOST_CHARACTERS);
  return short.length < text.length ? `${short}\n…` : short;
}

/**
 * Put JSON into an element, each part in a span of its kind. Only text nodes: nothing in it can become markup.
 *
 * @param {HTMLElement} element
 * @param {unknown} value
 */
export function showJson(element, value) {
  const text = shortened(readable(value));
  const parts = document.createDocumentFragment();
  let done = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.append(text.slice(done, match.index));
    const kind = match[1] === undefined ? "number" : match[2] === undefined ? "string" : "key";
    const span = document.createElement("span");
    span.className = `json-${kind}`;
    span.textContent = match[1] ?? match[0];
    parts.append(span, match[2] ?? "");
    done = match.index + match[0].length;
  }
  parts.append(text.slice(done));
  element.replaceChildren(parts);
}
