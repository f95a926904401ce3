/**
 * Listening to one channel at a time, and finding the channel to begin with.
 *
 * A channel `name` may have a map: the retained event of `name.map`, which also comes again whenever its
 * source starts anew.
 */

const RATE_SPAN_MS = 5_000;
const MOST_SCOUTED = 20;

/** @param {string} channel */
export function mapOf(channel) {
  return `${channel}.map`;
}

/** What a listener without WAMP would get. @param {import("./wamp.js").Delivery} event */
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

/** Listens to the channel that was tuned to last. */
export class Tuner {
  #client;
  #on;
  /** @type {import("./wamp.js").Subscription[]} */ #subscriptions = [];
  #map = "";

  /**
   * @param {import("./wamp.js").WampClient} client
   * @param {{map: (map: unknown) => void, data: (data: unknown) => void, refused: (error: Error) => void}} on
   *   map: only when it differs from the one before
   */
  constructor(client, on) {
    this.#client = client;
    this.#on = on;
  }

  /** @param {string} channel */
  tune(channel) {
    for (const subscription of this.#subscriptions) this.#client.unsubscribe(subscription);
    this.#map = "";
    const map = this.#client.subscribe(mapOf(channel), (event) => this.#mapCame(event), { get_retained: true });
    const data = this.#client.subscribe(channel, (event) => this.#on.data(dataOf(event)));
    this.#subscriptions = [map.subscription, data.subscription];
    map.ready.catch(() => {}); // Whoever may not see the map still hears the channel.
    data.ready.catch(this.#on.refused);
  }

  /** @param {import("./wamp.js").Delivery} event */
  #mapCame(event) {
    const map = dataOf(event);
    const text = JSON.stringify(map);
    if (text === this.#map) return;
    this.#map = text;
    this.#on.map(map);
  }
}

/** Waits for the first of several channels to show a map. */
export class Scout {
  #client;
  #found;
  /** @type {Map<string, import("./wamp.js").Subscription>} */ #watched = new Map();

  /**
   * @param {import("./wamp.js").WampClient} client
   * @param {(channel: string) => void} found called once; the scout stops by itself then
   */
  constructor(client, found) {
    this.#client = client;
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
      const { subscription, ready } = this.#client.subscribe(mapOf(channel), spotted, { get_retained: true });
      ready.catch(() => {}); // A map nobody may see is no map.
      this.#watched.set(channel, subscription);
    }
  }

  /** Watch nothing any more. */
  stop() {
    for (const subscription of this.#watched.values()) this.#client.unsubscribe(subscription);
    this.#watched.clear();
  }
}
