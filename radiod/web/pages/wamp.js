/**
 * A WAMP subscriber and caller for browsers: JSON over WebSocket, without a library; anonymous, or by ticket.
 *
 * It connects again by itself, waiting longer after each failure, and subscribes anew to whatever was wanted.
 * Whatever the server sends that makes no sense is reported to `onProblem` and otherwise ignored.
 * Source: WAMP specification, Basic Profile; `get_retained`: Advanced Profile, "Event Retention".
 */

import { MESSAGE as M, WampError, parse } from "./messages.js";

const HANDSHAKE_MS = 10_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** Why one may not be let in now, and later be: a server that stops, and whatever decides is not there. */
const PASSING = ["wamp.close.system_shutdown", "radiod.error.unavailable", "radiod.error.rate_limited"];

/**
 * @typedef {"connecting" | "open" | "closed"} State
 * @typedef {{state: State, retryAt?: number, reason?: string}} Status retryAt: as Date.now()
 * @typedef {{args: any[], kwargs: Record<string, any>, details: Record<string, any>}} Delivery
 * @typedef {{topic: string, options: object, handler: (event: Delivery) => void, id: number | null}} Subscription
 * @typedef {{resolve: (value: any) => void, reject: (error: Error) => void, subscription?: Subscription}} Pending
 */

/** One session that lasts, over as many connections as it takes. */
export class WampClient {
  #url;
  #realm;
  #onState;
  #onProblem;
  #random;
  #login;
  #onRefused;
  /** @type {WebSocket | null} */ #socket = null;
  #joined = false;
  #stopped = true;
  #failures = 0;
  #lastRequest = 0;
  /** One timer: the handshake's end while connecting, the next try while closed. */
  #timer = 0;
  /** @type {Map<number, Pending>} request id -> who waits */ #pending = new Map();
  /** @type {Set<Subscription>} */ #wanted = new Set();
  /** @type {Map<Subscription, Pending>} wanted, and never confirmed so far */ #opening = new Map();
  /** @type {Map<number, Set<Subscription>>} subscription id -> its local listeners */ #listeners = new Map();

  /**
   * @param {{url: string, realm?: string, onState?: (status: Status) => void,
   *   onProblem?: (error: Error) => void, random?: () => number, login?: {authid: string, ticket: string} | null,
   *   onRefused?: (error: WampError) => void}} settings login: null: as nobody in particular; onRefused: it is
   *   not let in, and stays away
   */
  constructor({
    url,
    realm = "radio",
    onState = () => {},
    onProblem = () => {},
    random = Math.random,
    login = null,
    onRefused = () => {},
  }) {
    this.#url = url;
    this.#realm = realm;
    this.#onState = onState;
    this.#onProblem = onProblem;
    this.#random = random;
    this.#login = login;
    this.#onRefused = onRefused;
  }

  /** Connect, and stay connected until `stop`. */
  start() {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#connect();
  }

  /** Say goodbye and stay away. */
  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#joined) this.#send([M.GOODBYE, {}, "wamp.close.normal"]);
    this.#lost("stopped");
  }

  /** Try now instead of waiting for the next try. */
  retry() {
    if (!this.#stopped && this.#socket === null) this.#connect();
  }

  /** Give up a connection that looks alive but is not, and try again. @param {string} reason */
  drop(reason) {
    if (!this.#stopped && this.#socket !== null) this.#lost(reason);
  }

  /**
   * Subscribe, now or as soon as there is a connection, and again on every later one.
   *
   * @param {string} topic
   * @param {(event: Delivery) => void} handler
   * @param {object} [options] of SUBSCRIBE, as `{get_retained: true}`
   * @returns {{subscription: Subscription, ready: Promise<void>}} ready: rejects with a WampError when
   *   refused; the subscription is then gone.
   */
  subscribe(topic, handler, options = {}) {
    const subscription = { topic, options, handler, id: null };
    this.#wanted.add(subscription);
    const ready = new Promise((resolve, reject) => {
      this.#opening.set(subscription, { resolve, reject, subscription });
    });
    if (this.#joined) this.#askFor(subscription);
    return { subscription, ready };
  }

  /** Hear no more of a subscription. @param {Subscription} subscription */
  unsubscribe(subscription) {
    if (!this.#wanted.delete(subscription)) return;
    this.#opening.delete(subscription);
    const id = subscription.id;
    if (id !== null) this.#release(id, subscription);
  }

  /**
   * Call a procedure.
   *
   * @param {string} procedure
   * @param {any[]} [args]
   * @param {{timeout?: number, kwargs?: Record<string, any>}} [options] timeout: milliseconds after which nobody
   *   waits any more
   * @returns {Promise<{args: any[], kwargs: Record<string, any>}>} rejects with a WampError
   */
  call(procedure, args = [], { timeout = 30_000, kwargs = {} } = {}) {
    if (!this.#joined) return Promise.reject(new WampError("radiod.error.unavailable", ["not connected"]));
    const request = ++this.#lastRequest;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(request)?.reject(new WampError("wamp.error.timeout")), timeout);
      const done = (/** @type {(value: any) => void} */ settle) => (/** @type {any} */ value) =>
        (clearTimeout(timer), settle(value));
      this.#pending.set(request, { resolve: done(resolve), reject: done(reject) });
      this.#send([M.CALL, request, {}, procedure, args, kwargs]);
    });
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#onState({ state: "connecting" });
    const socket = new WebSocket(this.#url, "wamp.2.json");
    this.#socket = socket;
    const current = (/** @type {(event: any) => void} */ act) => (/** @type {any} */ event) =>
      this.#socket === socket && act(event);
    socket.onopen = current(() => this.#send([M.HELLO, this.#realm, this.#hello()]));
    socket.onmessage = current((event) => this.#receive(event.data));
    socket.onclose = current((event) => this.#lost(event.reason || "connection lost"));
    this.#timer = setTimeout(() => this.#lost("no answer"), HANDSHAKE_MS);
  }

  #hello() {
    const hello = { roles: { subscriber: {}, caller: {} } };
    return this.#login === null ? hello : { ...hello, authmethods: ["ticket"], authid: this.#login.authid };
  }

  /** It is not let in. @param {string} uri @param {string} [text] */
  #refuse(uri, text) {
    // To try again would be to guess.
    this.#stopped = true;
    this.#lost(uri);
    this.#onRefused(new WampError(uri, [text]));
  }

  /** @param {string} reason */
  #lost(reason) {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#joined = false;
    socket?.close();
    for (const subscription of this.#wanted) subscription.id = null;
    this.#listeners.clear();
    const calls = [...this.#pending.values()].filter((pending) => !pending.subscription);
    this.#pending.clear();
    for (const call of calls) call.reject(new WampError("wamp.error.canceled", [reason]));
    if (this.#stopped) return this.#onState({ state: "closed", reason });
    // Half of the wait is chance, so that listeners of a server that restarts do not return all at once.
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures++, 10));
    const wait = longest * (0.5 + this.#random() / 2);
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#onState({ state: "closed", retryAt: Date.now() + wait, reason });
  }

  /** @param {any[]} message */
  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** @param {unknown} data */
  #receive(data) {
    const message = parse(data);
    if (message === null) return this.#onProblem(new Error("not a WAMP message"));
    const [code, first, second, third] = message;
    if (code === M.ABORT) {
      const isRefused = this.#login !== null && !PASSING.includes(second);
      return isRefused ? this.#refuse(second, first.message) : this.#lost(String(second));
    }
    if (code === M.CHALLENGE && !this.#joined) {
      if (this.#login === null || first !== "ticket") return this.#lost("the server wants a login");
      return this.#send([M.AUTHENTICATE, this.#login.ticket, {}]);
    }
    if (code === M.WELCOME && !this.#joined) return this.#welcome();
    if (!this.#joined) return this.#onProblem(new Error(`message ${code} before WELCOME`));
    if (code === M.GOODBYE) {
      this.#send([M.GOODBYE, {}, "wamp.close.goodbye_and_out"]);
      return this.#lost(String(second));
    }
    if (code === M.EVENT) return this.#event(first, { details: third, args: message[4], kwargs: message[5] });
    if (code === M.SUBSCRIBED) return this.#subscribed(first, second);
    if (code === M.RESULT) return this.#settle(first)?.resolve({ args: message[3], kwargs: message[4] });
    if (code === M.ERROR) return this.#refused(second, new WampError(message[4], message[5]));
  }

  #welcome() {
    clearTimeout(this.#timer);
    this.#joined = true;
    this.#failures = 0;
    this.#lastRequest = 0;
    this.#onState({ state: "open" });
    for (const subscription of this.#wanted) this.#askFor(subscription);
  }

  /** @param {Subscription} subscription */
  #askFor(subscription) {
    const request = ++this.#lastRequest;
    const waiting = this.#opening.get(subscription) ?? { resolve: () => {}, reject: this.#onProblem };
    this.#pending.set(request, { ...waiting, subscription });
    this.#send([M.SUBSCRIBE, request, subscription.options, subscription.topic]);
  }

  /** @param {number} request */
  #settle(request) {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    return pending;
  }

  /** @param {number} request @param {number} id */
  #subscribed(request, id) {
    const pending = this.#settle(request);
    const subscription = pending?.subscription;
    if (!pending || !subscription) return;
    this.#listeners.set(id, (this.#listeners.get(id) ?? new Set()).add(subscription));
    subscription.id = id;
    if (!this.#wanted.has(subscription)) return this.#release(id, subscription);
    this.#opening.delete(subscription);
    pending.resolve(undefined);
  }

  /** @param {number} request @param {WampError} error */
  #refused(request, error) {
    const pending = this.#settle(request);
    if (pending?.subscription && this.#opening.delete(pending.subscription)) {
      this.#wanted.delete(pending.subscription);
    }
    pending?.reject(error);
  }

  /** @param {number} id @param {Subscription} subscription */
  #release(id, subscription) {
    const listeners = this.#listeners.get(id);
    listeners?.delete(subscription);
    subscription.id = null;
    // The same topic being asked for again gets this same id: giving it up now would lose the new one too.
    const again = [...this.#pending.values()].some((other) => other.subscription?.topic === subscription.topic);
    if (!listeners || listeners.size > 0 || again) return;
    this.#listeners.delete(id);
    this.#send([M.UNSUBSCRIBE, ++this.#lastRequest, id]);
  }

  /** @param {number} id @param {Delivery} delivery */
  #event(id, delivery) {
    for (const { handler } of [...(this.#listeners.get(id) ?? [])]) {
      try {
        handler(delivery);
      } catch (error) {
        this.#onProblem(/** @type {Error} */ (error));
      }
    }
  }
}
