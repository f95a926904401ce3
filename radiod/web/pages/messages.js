/** The WAMP messages a subscriber and caller meets: their codes, their errors, and how what arrives is checked. */

export const MESSAGE = Object.freeze({
  HELLO: 1,
  WELCOME: 2,
  ABORT: 3,
  CHALLENGE: 4,
  AUTHENTICATE: 5,
  GOODBYE: 6,
  ERROR: 8,
  SUBSCRIBE: 32,
  SUBSCRIBED: 33,
  UNSUBSCRIBE: 34,
  UNSUBSCRIBED: 35,
  EVENT: 36,
  CALL: 48,
  RESULT: 50,
});

/** A refusal, with the WAMP URI that names it. */
export class WampError extends Error {
  /**
   * @param {string} uri
   * @param {any[]} [args] of the ERROR; the first one, when it is text, says more
   */
  constructor(uri, args = []) {
    super(typeof args[0] === "string" ? `${uri}: ${args[0]}` : uri);
    this.name = "WampError";
    this.uri = uri;
  }
}

/** What the parts of a message are: i integer id, d dictionary, u URI, l list. After "?" they may be left out. */
const SHAPES = new Map([
  [MESSAGE.WELCOME, "id"],
  [MESSAGE.ABORT, "du"],
  [MESSAGE.CHALLENGE, "ud"],
  [MESSAGE.GOODBYE, "du"],
  [MESSAGE.ERROR, "iidu?ld"],
  [MESSAGE.SUBSCRIBED, "ii"],
  [MESSAGE.UNSUBSCRIBED, "i"],
  [MESSAGE.EVENT, "iid?ld"],
  [MESSAGE.RESULT, "id?ld"],
]);

/** @param {unknown} value @returns {value is Record<string, any>} */
export function isDictionary(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @type {Record<string, {is: (value: unknown) => boolean, absent: () => unknown}>} */
const PARTS = {
  i: { is: Number.isSafeInteger, absent: () => 0 },
  u: { is: (value) => typeof value === "string", absent: () => "" },
  d: { is: isDictionary, absent: () => ({}) },
  l: { is: Array.isArray, absent: () => [] },
};

/**
 * Decode and check one message.
 *
 * @param {unknown} data as a WebSocket delivers it
 * @returns {any[] | null} the message with every optional part filled in; null: no message of ours
 */
export function parse(data) {
  const message = decode(data);
  if (!Array.isArray(message)) return null;
  const shape = SHAPES.get(message[0]);
  if (shape === undefined) return null;
  const required = shape.split("?")[0].length;
  const checked = [message[0]];
  for (const [index, kind] of [...shape.replace("?", "")].entries()) {
    const value = message[index + 1];
    if (PARTS[kind].is(value)) checked.push(value);
    else if (index >= required && (value === undefined || value === null)) checked.push(PARTS[kind].absent());
    else return null;
  }
  return checked;
}

/** @param {unknown} data */
function decode(data) {
  if (typeof data !== "string") return null;
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
