/**
 * Listening to one channel at a time, and finding the channel to begin with.
 *
 * A channel `name` may have a map: the retained event of `name.map`, which also comes again whenever its
 * source starts anew. A large map comes in parts: that event has the first one and tells how many there are, and
 * the others are those of `name.map.2` and so on.
 */

import { isDictionary } from "./data.js";

const RATE_SPAN_MS = 5_000;
const MOST_SCOUTED = 20;
const MOST_PARTS = 1000;
/** Samples of the past in one answer. */
const PAGE = 50;

/** @param {string} channel */
export function mapOf(channel) {
  return `${channel}.map`;
}

/** What a listener without WAMP would get. @param {import("./radiod.js").Sample} sample */
function dataOf({ args, kwargs }) {
  return args.length === 1 && Object.keys(kwargs).length === 0 ? args[0] : { args, kwargs };
}

/** Messages per second over the last few seconds; `now`: milliseconds, as performance.now(). */
export class Rate {
  /** @type {{at: number, count: number}[]} */ #marks = [];
  #span;

  /** @param {number} [span] milliseconds */
  constructor(span = RATE_SPAN_MS) {
    this.#span = span;
  }

  /** @param {number} now @param {number} count all messages so far; less than before: counting began anew */
  mark(now, count) {
    const last = this.#marks.at(-1);
    if (last && count < last.count) this.#marks = [];
    this.#marks.push({ at: now, count });
    while (this.#marks.length > 2 && now - this.#marks[0].at > this.#span) this.#marks.shift();
  }

  /** @returns {number | null} null: not known yet */
  perSecond() {
    const first = this.#marks[0];
    const last = this.#marks[this.#marks.length - 1];
    return first && last.at > first.at ? ((last.count - first.count) * 1000) / (last.at - first.at) : null;
  }
}

/** Gathers a map that comes in parts, one after the other, so that they never wait for us all at once. */
class Parts {
  #radio;
  #listening = new AbortController();

  /** @param {import("./radiod.js").Radio} radio */
  constructor(radio) {
    this.#radio = radio;
  }

  /** Wait for no more parts. */
  stop() {
    this.#listening.abort();
    this.#listening = new AbortController();
  }

  /**
   * @param {string} channel
   * @param {any} first as it came; a map that is whole is given back at once
   * @param {(map: unknown) => void} done called with the whole map, unless stopped before
   */
  gather(channel, first, done) {
    this.stop();
    const cut = isDictionary(first) && Number.isInteger(first.parts) && Array.isArray(first.streets);
    if (!cut || first.parts < 2 || first.parts > MOST_PARTS) return done(first);
    this.#next(channel, first, [...first.streets], 2, done);
  }

  /** @param {string} channel @param {any} first @param {any[]} streets so far @param {number} number
   * @param {(map: unknown) => void} done */
  #next(channel, first, streets, number, done) {
    this.stop();
    if (number > first.parts) return done({ ...first, streets });
    const came = (/** @type {import("./radiod.js").Sample} */ sample) => {
      const part = dataOf(sample);
      // Of another map: its first part is still to come, and then all begins anew.
      if (!isDictionary(part) || part.version !== first.version || !Array.isArray(part.streets)) return;
      this.#next(channel, first, streets.concat(part.streets), number + 1, done);
    };
    const options = { retained: true, signal: this.#listening.signal };
    this.#radio.channel(`${mapOf(channel)}.${number}`).subscribe(came, options).catch(() => {});
  }
}

/** Listens to the channel that was tuned to last. */
export class Tuner {
  #radio;
  #on;
  #listening = new AbortController();
  #map = "";
  #channel = "";
  #parts;

  /**
   * @param {import("./radiod.js").Radio} radio
   * @param {{map: (map: unknown) => void, data: (data: unknown, position: string | null) => void,
   *   refused: (error: Error) => void}} on
   *   map: only when it differs from the one before; position: in the channel's history
   */
  constructor(radio, on) {
    this.#radio = radio;
    this.#on = on;
    this.#parts = new Parts(radio);
  }

  /** @param {string} channel */
  tune(channel) {
    this.#listening.abort();
    this.#listening = new AbortController();
    this.#parts.stop();
    this.#map = "";
    this.#channel = channel;
    const { signal } = this.#listening;
    const map = this.#radio.channel(mapOf(channel)).subscribe((sample) => this.#mapCame(sample), { retained: true, signal });
    const heard = (/** @type {import("./radiod.js").Sample} */ sample) => this.#on.data(dataOf(sample), sample.position);
    // Where a channel keeps its past there is a picture at once.
    const data = this.#radio.channel(channel).subscribe(heard, { signal, last: 1 });
    map.catch(() => {}); // Whoever may not see the map still hears the channel.
    data.catch((error) => signal.aborted || this.#on.refused(error));
  }

  /** @param {import("./radiod.js").Sample} sample */
  #mapCame(sample) {
    const map = dataOf(sample);
    const text = JSON.stringify(map);
    if (text === this.#map) return;
    this.#map = text;
    this.#parts.gather(this.#channel, map, this.#on.map);
  }
}

/**
 * What a channel keeps from before a position, a page at a time.
 *
 * @param {import("./radiod.js").Radio} radio
 * @param {string} channel
 * @param {string} position
 * @param {number} most samples
 * @returns {Promise<{data: unknown, time: number}[]>} oldest first, and when each came (seconds since 1970); none:
 *   it keeps none, or not for us
 */
export async function past(radio, channel, position, most) {
  const [epoch, end] = [position.slice(0, position.lastIndexOf(":")), Number(position.slice(position.lastIndexOf(":") + 1))];
  const found = [];
  let after = `${epoch}:${Math.max(end - 1 - most, 0)}`;
  try {
    while (found.length < most) {
      const page = await radio.channel(channel).history({ after, limit: PAGE });
      const older = page.filter((sample) => Number(sample.position?.slice(epoch.length + 1)) < end);
      found.push(...older.map((sample) => ({ data: dataOf(sample), time: sample.details.time })));
      if (older.length < page.length || page.length === 0) break;
      after = /** @type {string} */ (page[page.length - 1].position);
    }
  } catch {
    // What came so far is the past that can be had.
  }
  return found;
}

/** Waits for the first of several channels to show a map. */
export class Scout {
  #radio;
  #found;
  /** @type {Set<string>} */ #watched = new Set();
  #listening = new AbortController();

  /**
   * @param {import("./radiod.js").Radio} radio
   * @param {(channel: string) => void} found called once; the scout stops by itself then
   */
  constructor(radio, found) {
    this.#radio = radio;
    this.#found = found;
  }

  /** Watch these channels too. @param {string[]} channels */
  watch(channels) {
    for (const channel of channels.slice(0, MOST_SCOUTED)) {
      if (this.#watched.has(channel) || this.#watched.size >= MOST_SCOUTED) continue;
      const spotted = () => {
        this.stop();
        this.#found(channel);
      };
      const options = { retained: true, signal: this.#listening.signal };
      this.#radio.channel(mapOf(channel)).subscribe(spotted, options).catch(() => {}); // A map nobody may see is no map.
      this.#watched.add(channel);
    }
  }

  /** Watch nothing any more. */
  stop() {
    this.#listening.abort();
    this.#listening = new AbortController();
    this.#watched.clear();
  }
}
