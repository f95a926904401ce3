/**
 * Listen to a radiod, publish, call and serve, in browsers and on Node: one module, no imports.
 *
 *     const radio = new Radio("http://127.0.0.1:8080");
 *     await radio.connect();
 *     for await (const sample of radio.channel("sample_net").listen()) console.log(sample.data);
 *
 * A lost connection is made again, goes on where it was, and tells what was lost. Times are milliseconds; settings that
 * go to the server as they are (of buffers and of channels that are created) keep its names and its seconds.
 */

const HELLO = 1;
const WELCOME = 2;
const ABORT = 3;
const CHALLENGE = 4;
const AUTHENTICATE = 5;
const GOODBYE = 6;
const ERROR = 8;
const PUBLISH = 16;
const PUBLISHED = 17;
const SUBSCRIBE = 32;
const SUBSCRIBED = 33;
const UNSUBSCRIBE = 34;
const UNSUBSCRIBED = 35;
const EVENT = 36;
const CALL = 48;
const CANCEL = 49;
const RESULT = 50;
const REGISTER = 64;
const REGISTERED = 65;
const UNREGISTER = 66;
const UNREGISTERED = 67;
const INVOCATION = 68;
const INTERRUPT = 69;
const YIELD = 70;

const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 15_000;
const MOST_TOLD_MS = 300_000;
const GOODBYE_MS = 2_000;
const TICK_MS = 5_000;
const LATE_MS = 5_000;
const QUIET_MS = 20_000;
const SILENT_MS = 15_000;
const AWAKE_MS = 3_000;
const AGAIN_MS = 2_000;
const MOST_WAITING = 10_000;
const MOST_UNSENT = 1_048_576;

const URI = "wamp.error.";
const TIMEOUT = `${URI}timeout`;
const CANCELED = `${URI}canceled`;
const DEMAND = "radiod.channel.on_demand";
/** ABORTs behind which it is no use to try again. */
const FOR_GOOD = new RegExp(
  `^${URI}(authentication_denied|authorization_denied|no_such_(realm|role|principal)|no_(matching_)?auth_method|not_authorized|protocol_violation)$`,
);
/** Topics whose events nobody counts. */
const ROUTERS = /^(radiod|wamp)\./;
const TRANSIENT = /^radiod\.error\.(quota|rate_limited|unavailable)$/;
const FEATURES = { call_canceling: true, progressive_call_results: true };
const ROLES = {
  subscriber: { features: { subscription_revocation: true } },
  publisher: {},
  caller: { features: { call_timeout: true, ...FEATURES } },
  // #region services
  callee: { features: { registration_revocation: true, ...FEATURES } },
  // #endregion
};

/**
 * @typedef {"new" | "connecting" | "open" | "waiting" | "closing" | "closed"} State
 * @typedef {{ retryAt?: number, reason?: string }} Why retryAt: of `waiting`, as Date.now(); reason: why it is not open
 * @typedef {"buffer" | "queue" | "reconnect" | "history"} GapReason
 * @typedef {{ size?: number, policy?: "ring" | "skip" | "clear" | "wait" | "raise", every?: number, min_interval?: number,
 *   latest?: boolean, weight?: number, max_bytes?: number }} Buffer settings of the server's buffer, in its words
 * @typedef {{ after?: string, last?: number, queue?: number, retained?: boolean, signal?: AbortSignal }} Listen
 *   after: a position, what came behind it comes first; last: so many samples of the past come first; queue: samples that
 *   wait for this program, the oldest drop out; retained: begin with the sample that the channel retains
 * @typedef {Listen & Buffer} ListenOptions
 * @typedef {{ kwargs?: Record<string, any>, timeout?: number, signal?: AbortSignal, onProgress?: (value: any) => void }} CallOptions
 * @typedef {{ encode(message: any[], isBatched: boolean): string | Uint8Array<ArrayBuffer>, decode(data: any, isBatched: boolean): any[],
 *   name: string }} Serializer
 * @typedef {{ resolve: (result: IteratorResult<Sample, undefined>) => void, reject: (error: any) => void }} Waiting
 * @typedef {{ name: string, kind: string, default?: any, annotation?: string }} Parameter
 * @typedef {{ parameters: Parameter[], returns?: string, doc?: string }} Signature
 */

/** Everything that can go wrong. `uri` names it, where WAMP has a name for it. */
export class RadioError extends Error {
  /** @type {string | undefined} */ uri;

  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}

/** There is no server there, or none that speaks WAMP. */
export class ConnectFailed extends RadioError {}

/** The connection broke before the answer came: what was asked may have been done. Or it was closed. */
export class Disconnected extends RadioError {}

/** The server does not let us in: `uri` says why. It is not tried again. */
export class LoginRefused extends RadioError {
  /** @param {string} uri @param {string} [message] */
  constructor(uri, message) {
    super(message ? `${message} (${uri})` : uri);
    this.uri = uri;
  }
}

/** A request was refused, or a procedure failed. */
export class CallError extends RadioError {
  /** @param {string} uri @param {any[]} [args] @param {Record<string, any>} [kwargs] */
  constructor(uri, args = [], kwargs = {}) {
    super(args.length ? `${uri}: ${args.join(", ")}` : uri);
    this.uri = uri;
    this.args = args;
    this.kwargs = kwargs;
  }
}

/** There was no answer in time. */
export class CallTimeout extends CallError {}

/** The call was canceled. */
export class CallCanceled extends CallError {}

// #region services
/** A function of another radiod client raised: `type` is the exception's name there. */
export class RemoteError extends CallError {
  /** @param {string} uri @param {any[]} [args] @param {Record<string, any>} [kwargs] */
  constructor(uri, args, kwargs = {}) {
    super(uri, args, kwargs);
    this.message = String(kwargs.message);
  }

  /** The exception's name. */
  get type() {
    return String(this.kwargs.type);
  }

  /** Where it came from, if the service tells. */
  get traceback() {
    return String(this.kwargs.traceback ?? "");
  }
}

/** Thrown by a procedure: it reaches the caller as this URI. */
export class ServiceError extends CallError {}
// #endregion

/** @param {string} uri @param {any[]} [args] @param {Record<string, any>} [kwargs] */
function refusal(uri, args, kwargs) {
  // #region services
  if (kwargs && "type" in kwargs && "message" in kwargs) return new RemoteError(uri, args, kwargs);
  // #endregion
  return new (uri === TIMEOUT ? CallTimeout : uri === CANCELED ? CallCanceled : CallError)(uri, args, kwargs);
}

/** Samples are missing right before the one that has this; `lost` is null where nobody can know how many. */
export class Gap {
  /** @param {number | null} lost @param {GapReason} reason */
  constructor(lost, reason) {
    this.lost = lost;
    this.reason = reason;
  }
}

/** @param {Gap} earlier @param {Gap | null} later */
function joined(earlier, later) {
  if (!later) return earlier;
  return new Gap(earlier.lost === null || later.lost === null ? null : earlier.lost + later.lost, earlier.reason);
}

/** One event of a channel. `details` are the server's, `gap` says what is missing right before. */
export class Sample {
  /** @param {string} channel @param {any[]} args @param {Record<string, any>} kwargs @param {Record<string, any>} details @param {Gap | null} gap */
  constructor(channel, args, kwargs, details, gap) {
    this.channel = channel;
    this.args = args;
    this.kwargs = kwargs;
    this.details = details;
    this.gap = gap;
  }

  /** The first argument: what was published. @returns {any} */
  get data() {
    if (this.args.length) return this.args[0];
    for (const _ in this.kwargs) return this.kwargs;
    return null;
  }

  /** Where it stands in its channel: use it as `after`. */
  get position() {
    const { _epoch, _seq } = this.details;
    return _seq === undefined || _epoch === undefined ? null : `${_epoch}:${_seq}`;
  }

  /** The stream that it is a part of. @returns {{ id: string | number, counter: number, begin?: true, end?: true } | undefined} */
  get stream() {
    return this.details._stream;
  }
}

/** @param {string} what @returns {never} */
function unsayable(what) {
  throw new TypeError(`${what} cannot be sent as JSON`);
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** @param {string} key @param {any} value */
function said(key, value) {
  const type = typeof value;
  if (type === "number" && !Number.isFinite(value)) unsayable(String(value));
  if (type === "function" || type === "symbol") unsayable(`a ${type}`);
  if ([key, value].some((/** @type {any} */ text) => text?.isWellFormed?.() === false)) unsayable("half a character");
  if (value instanceof ArrayBuffer) value = new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return `\0${base64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))}`;
  if (type === "string" && value[0] === "\0") unsayable("text that begins with NUL");
  return value;
}

/** @param {string} text */
function bytesOf(text) {
  try {
    return Uint8Array.from(atob(text.slice(1)), (c) => c.charCodeAt(0));
  } catch {
    return text;
  }
}

/** WAMP's JSON has bytes as base64 behind a NUL. @param {any} value @returns {any} */
function heard(value) {
  if (typeof value === "string") return value[0] === "\0" ? bytesOf(value) : value;
  if (typeof value === "object" && value) for (const key of Object.keys(value)) value[key] = heard(value[key]);
  return value;
}

/** @type {Serializer} */
const JSON_ = {
  name: "json",
  encode: (message, isBatched) => JSON.stringify(message, said) + (isBatched ? "\x1e" : ""),
  decode: (data, isBatched) => {
    const messages = JSON.parse(isBatched ? `[${data.slice(0, -1).replaceAll("\x1e", ",")}]` : `[${data}]`);
    try {
      return data.includes("\\u0000") ? heard(messages) : messages;
    } catch {
      return messages; // Too deep for us, and no reason to leave.
    }
  },
};

/** @param {string} position @returns {[string, number]} */
function parsed(position) {
  const found = /^(.+):(\d+)$/.exec(position);
  if (!found) throw new TypeError(`no position: ${position}`);
  return [found[1], Number(found[2])];
}

/** @param {Buffer} buffer Whether numbers that are missing were lost: some are left out on purpose. */
const isCounted = (buffer) => (buffer.every ?? 1) === 1 && !buffer.min_interval && !buffer.latest;

/** @param {any[]} args @param {Record<string, any>} kwargs What a procedure returned. */
function valueOf(args, kwargs) {
  if (!args?.length) return kwargs ?? null;
  return args.length === 1 ? args[0] : args;
}

/** @typedef {(message: any, error?: any) => void} Then what happens with an answer, or with the error in its place */

/** @typedef {{ rank: number, begin(): void, pause?(): void, end?(error: RadioError): void }} Lasting made again in each session */

/**
 * A request that is to be sent, or was: it ends once.
 *
 * @typedef {{ kind: number, rest: any[], then: Then, onProgress?: (value: any) => void, request: number }} Ask
 */

/** One channel that is listened to, over all sessions: where we are in it, and what was missed. */
class Subscription {
  rank = 2;
  isOver = false;
  /** Replaced, never changed: it is walked while callbacks come and go. @type {Listening[]} */ listenings = [];
  /** @type {number | null} */ #id = null;
  /** @type {string | null} */ #epoch = null;
  #seq = -1;
  #last;
  #key;
  #isRetained;
  #isPlaced;
  #isCounted;
  #isPromised;
  #isSubscribedOnce = false;
  #mayHaveMissed = false;
  #hasHistory = false;
  #isAsking = false;
  /** @type {Subscription[]} who wait until this one has left */ next = [];

  /** @param {Line} line @param {string} name @param {string | undefined} key @param {Listen} past @param {Buffer} buffer */
  constructor(line, name, key, { after, last = 0, retained = false }, buffer) {
    this.line = line;
    this.name = name;
    this.buffer = buffer;
    this.#key = key;
    this.#last = last;
    this.#isRetained = retained;
    // Whoever wants the retained sample wants the present, not the past.
    this.#isPlaced = !retained && !ROUTERS.test(name);
    this.#isPromised = after !== undefined;
    this.#isCounted = isCounted(buffer);
    if (after !== undefined) [this.#epoch, this.#seq] = parsed(after);
  }

  get position() {
    return this.#epoch === null ? null : `${this.#epoch}:${this.#seq}`;
  }

  get isReady() {
    return this.#id !== null;
  }

  /** @param {Listen} past @param {Buffer} buffer Whether somebody who wants this can share it. */
  fits({ after, last = 0, retained = false }, buffer) {
    const same = (/** @type {Buffer} */ some) => JSON.stringify(Object.entries(some).sort());
    return after === undefined && !last && retained === this.#isRetained && same(buffer) === same(this.buffer);
  }

  /** @param {Buffer} buffer The next session begins with it. */
  tuned(buffer) {
    this.buffer = buffer;
    this.#isCounted = isCounted(buffer);
  }

  /** @param {Listening} listening */
  leave(listening) {
    this.listenings = this.listenings.filter((each) => each !== listening);
    if (this.listenings.length || this.isOver) return;
    this.isOver = true;
    this.line.forget(this);
    if (this.#isAsking) this.line.leaving.set(this.name, this);
    if (this.#id === null) return;
    this.line.takers.delete(this.#id);
    this.line.request(UNSUBSCRIBE, [this.#id]);
    this.#id = null;
  }

  begin() {
    this.#id = null;
    if (this.isOver) return;
    // One of the same name whose SUBSCRIBE is on its way gets the same id, which it gives back first.
    const before = this.line.leaving.get(this.name);
    if (before) {
      before.next.push(this);
      return;
    }
    if (this.#key !== undefined) this.line.query("radiod.channel.join", [this.name, this.#key]);
    if (!this.#isPlaced || this.#epoch !== null) return this.#subscribe();
    if (this.#last) {
      return this.line.query("radiod.channel.history", [this.name, null, 1, this.#last], (page) => {
        // Before the first of them; of what keeps none, wherever it stands.
        this.#locate(page?.events[0]);
        this.#seq--;
        this.#last = 0;
        this.begin();
      });
    }
    this.line.query("radiod.channel.get", [this.name], (description) => {
      this.#locate(description);
      if (!this.isOver) this.#subscribe();
    });
  }

  pause() {
    this.#id = null;
    this.#isAsking = false;
    this.#isPromised ||= this.#isSubscribedOnce;
  }

  /** @param {RadioError} error */
  end(error) {
    this.isOver = true;
    this.#id = null;
    this.line.forget(this);
    for (const listening of this.listenings) listening.fail(error);
  }

  /** @param {any} description */
  #locate(description) {
    if (description?.position) [this.#epoch, this.#seq] = parsed(description.position);
  }

  #subscribe() {
    /** @type {Record<string, any>} */
    const options = { get_retained: this.#isRetained || undefined };
    if (!ROUTERS.test(this.name)) options._radiod_position = true;
    if (this.#key !== undefined) options._radiod_key = this.#key;
    if (Object.keys(this.buffer).length) options._radiod_buffer = this.buffer;
    if (this.#isPlaced && this.#epoch !== null) options._radiod_after = this.position;
    else this.#mayHaveMissed = this.#isSubscribedOnce && !this.#isRetained;
    this.#isAsking = true;
    this.line.request(SUBSCRIBE, [options, this.name], (message, error) => this.#subscribed(message, error));
    if (!this.#isPlaced || this.#epoch !== null) return;
    // Its events are counted from now on: that count has a name.
    this.line.query("radiod.channel.get", [this.name], (description) => {
      if (this.#epoch === null) {
        this.#locate(description);
        // What came since it is counted came to us, or is on its way.
        this.#seq = 0;
      }
      this.#ready();
    });
  }

  /** @param {any} message @param {any} error */
  #subscribed(message, error) {
    this.#isAsking = false;
    if (this.isOver) {
      this.line.leaving.delete(this.name);
      if (message) this.line.request(UNSUBSCRIBE, [message[2]]);
      for (const each of this.next) each.begin();
      return;
    }
    if (error) {
      if (!TRANSIENT.test(error.uri) || !this.#isSubscribedOnce) return this.end(error);
      const session = this.line.session;
      setTimeout(() => this.isOver || session === null || this.line.session !== session || this.begin(), AGAIN_MS);
      return;
    }
    // Replayed events are right behind this message: they must find us.
    this.#id = message[2];
    this.line.takers.set(message[2], this);
    if (!this.#isPlaced || this.#epoch !== null) this.#ready();
  }

  /** Whatever comes from now on arrives, or is told as missing. */
  #ready() {
    if (this.#id === null) return;
    if (!this.#isSubscribedOnce && this.#isPlaced && this.#epoch !== null) {
      this.line.query("radiod.channel.history", [this.name, this.position, 1], (page, error) => (this.#hasHistory = !error));
    }
    this.#isSubscribedOnce = true;
    for (const listening of this.listenings) listening.opened();
  }

  /** An EVENT. This is where most of the time goes. @param {any[]} message */
  take(message) {
    const details = message[3];
    const args = message[4] ?? [];
    if (!Array.isArray(args)) throw new TypeError("no arguments");
    const { _seq } = details;
    let gap = null;
    if (this.#mayHaveMissed || details._lost !== undefined || details._recovered !== undefined) gap = this.#gap(details);
    if (_seq !== undefined) {
      this.#seq = _seq;
      this.#epoch = details._epoch;
    }
    this.#isPromised = true;
    const sample = new Sample(this.name, args, message[5] ?? {}, details, gap);
    for (const listening of this.listenings) listening.put(sample);
  }

  /** @param {Record<string, any>} details */
  #gap({ _recovered, _lost, _seq, _epoch }) {
    const isTold = this.#mayHaveMissed;
    this.#mayHaveMissed = false;
    if (_recovered === false && this.#isPromised) {
      // An epoch with an x in front is a count that leaves numbers out.
      const missing = this.#isCounted && _epoch === this.#epoch && _epoch < "x" ? _seq - this.#seq - 1 : 0;
      return new Gap(missing > 0 ? missing : null, this.#hasHistory ? "history" : "reconnect");
    }
    if (isTold) return new Gap(null, "reconnect");
    return _lost ? new Gap(_lost, "buffer") : null;
  }
}

// #region services
/** Refusals that a signature may have caused. */
const UNTOLD = /^(radiod\.error\.quota|wamp\.error\.invalid_argument)$/;

/** One procedure that we offer, over all sessions: there it takes over from the session before. */
class Registration {
  rank = 0;
  isOver = false;
  /** @type {number | null} */ #id = null;
  #isKnown = false;
  /** @type {Then | null} */ #then;

  /** @param {Line} line @param {string} procedure @param {Signature | undefined} signature
   * @param {(call: Invocation) => void} callee @param {Then} then */
  constructor(line, procedure, signature, callee, then) {
    this.line = line;
    this.procedure = procedure;
    this.signature = signature;
    this.callee = callee;
    this.#then = then;
  }

  begin() {
    /** @type {Record<string, any>} */
    const options = this.#isKnown ? { force_reregister: true } : {};
    if (this.signature) options._radiod_signature = this.signature;
    const session = this.line.session;
    this.line.request(REGISTER, [options, this.procedure], (message, error) => {
      if (error && this.signature && UNTOLD.test(error.uri)) {
        this.signature = undefined; // Better without than not at all.
        this.begin();
      } else if (error && this.#isKnown) {
        // The session before may still be there: it is gone before long.
        setTimeout(() => this.isOver || this.line.session !== session || this.begin(), AGAIN_MS);
      } else if (error) {
        this.end(error);
      } else if (this.isOver) {
        this.line.request(UNREGISTER, [message[2]]);
      } else {
        this.#id = message[2];
        this.#isKnown = true;
        this.line.callees.set(message[2], this);
        this.#settle(this);
      }
    });
  }

  pause() {
    this.#id = null;
  }

  leave() {
    this.isOver = true;
    this.line.forget(this);
    if (this.#id === null) return;
    this.line.callees.delete(this.#id);
    this.line.request(UNREGISTER, [this.#id]);
    this.#id = null;
  }

  /** @param {RadioError} error */
  end(error) {
    this.isOver = true;
    this.line.forget(this);
    this.#settle(null, error);
  }

  /** @param {any} message @param {any} [error] */
  #settle(message, error) {
    this.#then?.(message, error);
    this.#then = null;
  }
}
// #endregion

/**
 * What `begin` resolves or rejects, in time; what it returns undoes it.
 *
 * @param {number | undefined} timeout @param {AbortSignal | undefined} signal @param {() => string} late what is missing; nothing: the connection
 * @param {(resolve: (value?: any) => void, reject: (error: any) => void) => () => void} begin @returns {Promise<any>}
 */
function within(timeout, signal, late, begin) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = () => end(reject, signal?.reason);
    const onLate = () => {
      const [what, when] = [late(), `within ${Number(timeout) / 1000} s`];
      end(reject, what ? new CallTimeout(TIMEOUT, [`${what} ${when}`]) : new Disconnected(`no connection ${when}`));
    };
    const timer = timeout === undefined ? undefined : setTimeout(onLate, timeout);
    signal?.addEventListener("abort", onAbort);
    let undo = () => {};
    const end = (/** @type {(value: any) => void} */ settle, /** @type {any} */ value) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      undo();
      settle(value);
    };
    const fail = (/** @type {any} */ error) => end(reject, error);
    try {
      undo = begin((value) => end(resolve, value), fail);
    } catch (error) {
      fail(error);
    }
  });
}

// #region services
/** An invocation of one of our procedures: `signal` says when nobody waits for it any more. */
export class Invocation {
  #line;
  #request;
  #aborter = new AbortController();
  isOver = false;

  /** @internal @param {any} line @param {any[]} message */
  constructor(line, [, request, , details, args, kwargs]) {
    this.#line = line;
    this.#request = request;
    /** @type {Record<string, any>} the router's */ this.details = details;
    /** @type {any[]} */ this.args = args ?? [];
    /** @type {Record<string, any>} */ this.kwargs = kwargs ?? {};
  }

  /** Aborted when the caller cancels, its time is over, or the connection is lost. */
  get signal() {
    return this.#aborter.signal;
  }

  /** A result before the last, for callers that want some. @param {any} value */
  progress(value) {
    if (!this.isOver && this.details.receive_progress) this.#line.send([YIELD, this.#request, { progress: true }, [value]]);
  }

  /** @internal @param {any} value */
  answer(value) {
    try {
      this.#end([YIELD, this.#request, {}, [value]]);
    } catch (error) {
      this.fail(error, false);
    }
  }

  /** @internal @param {any} error @param {boolean} hasTraceback */
  fail(error, hasTraceback) {
    const head = [ERROR, INVOCATION, this.#request, {}];
    const message = String(error?.message ?? error);
    const kwargs = { type: error?.name ?? "Error", message, ...(hasTraceback && { traceback: error?.stack }) };
    try {
      this.#end(error instanceof ServiceError ? [...head, error.uri, error.args, error.kwargs] : [...head, `${URI}runtime_error`, [message], kwargs]);
    } catch {
      this.#end([...head, `${URI}runtime_error`, ["what went wrong cannot be sent"]]);
    }
  }

  /** @internal @param {boolean} isTold */
  cancel(isTold) {
    if (this.isOver) return;
    if (isTold) this.fail(new ServiceError(CANCELED), false);
    this.isOver = true;
    this.#aborter.abort(new CallCanceled(CANCELED));
  }

  /** @param {any[]} message */
  #end(message) {
    if (this.isOver) return;
    this.#line.send(message);
    this.isOver = true;
    this.#line.calls.delete(this.#request);
  }
}
// #endregion

/** The connection that comes and goes, its session, and what outlives both. */
class Line {
  /** @type {State} */ state = "new";
  /** @type {WebSocket | null} */ #socket = null;
  #isBatched = false;
  /** @type {number | null} */ session = null;
  /** @type {Record<string, any>} */ server = {};
  #count = 0;
  /** @type {Map<number, Ask>} request id -> who waits */ #asked = new Map();
  /** @type {Map<number, Subscription>} */ takers = new Map();
  // #region services
  /** @type {Map<number, Registration>} */ callees = new Map();
  /** @type {Map<number, Invocation>} */ calls = new Map();
  // #endregion
  /** @type {Set<Ask>} what waits for a session */ #queued = new Set();
  /** @type {Set<Lasting>} */ #lasting = new Set();
  /** @type {Map<string, Subscription>} */ subscriptions = new Map();
  /** @type {Map<string, Subscription>} given up while their SUBSCRIBE is on its way */ leaving = new Map();
  /** @type {Then | null} */ #started = null;
  #isPatient = false;
  /** @type {RadioError | null} */ #why = null;
  /** @type {number | null} */ #told = null;
  #longest = FIRST_RETRY_MS;
  /** One timer: the end of patience while connecting, the next try while waiting. @type {any} */ #timer;
  /** @type {any} */ #ticker;
  #due = 0;
  /** When something last came, and how many times something did. */
  #heard = 0;
  #came = 0;
  #isChecking = false;
  #hooks = new AbortController();
  /** @type {Promise<void> | undefined} */ #closed;
  /** @type {(value?: any) => void} */ #onClosed = () => {};

  /**
   * @param {string} url
   * @param {{ realm: string, authid?: string, ticket?: string, serializer: Serializer, timeout: number,
   *   connectTimeout: number, WebSocket: typeof WebSocket, random: () => number }} settings
   * @param {(state: State, why: Why) => void} onState
   * @param {(error: any) => void} complain
   */
  constructor(url, settings, onState, complain) {
    this.url = url;
    this.settings = settings;
    this.onState = onState;
    this.complain = complain;
  }

  // Connections.

  /** @param {boolean} isPatient @param {Then} then */
  start(isPatient, then) {
    this.#started = then;
    this.#isPatient = isPatient;
    this.#hook();
    this.#dial();
  }

  /** What tells that nothing may have come for a while. One check too many costs a message. */
  #hook() {
    const wake = (/** @type {Event} */ { type }) => {
      if (type === "pagehide" && this.session !== null) {
        // Whoever keeps the page for later does not keep its connection, and the server need not wait for that.
        this.#told = MOST_TOLD_MS;
        return this.#lost(new Disconnected("the page was left"));
      }
      if (type === "pageshow") this.retry();
      this.check(AWAKE_MS);
    };
    for (const target of [globalThis, globalThis.document]) {
      for (const name of ["pagehide", "pageshow", "online", "resume", "visibilitychange"]) {
        target?.addEventListener?.(name, wake, { signal: this.#hooks.signal });
      }
    }
    this.#due = Date.now() + TICK_MS;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  #tick() {
    const now = Date.now();
    const isLate = now - this.#due > LATE_MS;
    this.#due = now + TICK_MS;
    if (isLate) this.check(AWAKE_MS);
    else if (this.state === "open" && now - this.#heard >= QUIET_MS) this.check(SILENT_MS);
  }

  /** Whether the other end still lives: ask it, and connect anew at once if nothing comes. @param {number} limit */
  check(limit) {
    if (this.state === "waiting") return this.#told === null ? this.#dial() : undefined;
    if (this.state !== "open" || this.#isChecking) return;
    this.#isChecking = true;
    const socket = this.#socket;
    const came = this.#came;
    this.query("radiod.echo", []);
    const judge = (/** @type {number} */ due) => {
      if (this.#socket !== socket) return;
      if (this.#came !== came) this.#isChecking = false;
      // We were asleep ourselves: what came meanwhile is read first.
      else if (Date.now() > due + 1000) setTimeout(judge, 1000, Date.now() + 1000);
      else this.#lost(new Disconnected("the server is silent"), true);
    };
    setTimeout(judge, limit, Date.now() + limit);
  }

  /** Try now instead of waiting for the next try. */
  retry() {
    if (this.state === "waiting") this.#dial();
  }

  #dial() {
    clearTimeout(this.#timer);
    this.#enter("connecting");
    this.#told = this.#why = null;
    const { WebSocket, serializer, connectTimeout } = this.settings;
    const name = `wamp.2.${serializer.name}`;
    this.#timer = setTimeout(() => this.#lost(new ConnectFailed(`no session within ${connectTimeout / 1000} s`)), connectTimeout);
    /** @type {WebSocket} */
    let socket;
    try {
      socket = this.#socket = new WebSocket(this.url, [`${name}.batched`, name]);
    } catch (error) {
      return this.#lost(new ConnectFailed(String(error)));
    }
    socket.binaryType = "arraybuffer";
    let reason = "";
    const current = (/** @type {(event: any) => void} */ act) => (/** @type {any} */ event) => this.#socket === socket && act(event);
    socket.onopen = current(() => {
      this.#isBatched = socket.protocol === `${name}.batched`;
      if (!this.#isBatched && socket.protocol !== name) {
        return this.#lost(new ConnectFailed(`the server speaks ${socket.protocol || "no WAMP"}, not ${name}`));
      }
      this.#hello();
    });
    socket.onmessage = current((event) => this.#receive(event.data));
    socket.onerror = (event) => (reason = /** @type {any} */ (event).message ?? "");
    socket.onclose = current(({ code, reason: told }) => {
      const Kind = this.session === null ? ConnectFailed : Disconnected;
      this.#lost(this.#why ?? new Kind(told || reason || `the connection was lost (${code})`));
    });
  }

  #hello() {
    const { realm, authid, ticket } = this.settings;
    const methods = ticket === undefined ? ["anonymous"] : ["ticket"];
    this.#count = 0;
    this.send([HELLO, realm, { roles: ROLES, agent: "radiod.js/0.1", _radiod_revocation: true, authmethods: methods, authid }]);
  }

  /** @param {RadioError} why @param {boolean} [isAtOnce] */
  #lost(why, isAtOnce = false) {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = this.session = null;
    this.#isChecking = false;
    // A closing handshake with somebody who is gone takes long, and some can be spared it.
    const hangUp = (!this.#why && /** @type {any} */ (socket)?.terminate) || socket?.close;
    hangUp?.call(socket);
    for (const each of this.#lasting) each.pause?.();
    const asked = this.#asked;
    this.#asked = new Map();
    this.takers.clear();
    this.leaving.clear();
    const broken = new Disconnected(why.message);
    for (const ask of asked.values()) ask.then(null, broken);
    // #region services
    const { calls } = this;
    this.calls = new Map();
    this.callees.clear();
    for (const call of calls.values()) call.cancel(false);
    // #endregion
    if (this.state === "closing") this.#finish(new Disconnected("closed"));
    else if (why instanceof LoginRefused) this.#finish(why);
    else if (this.#started && !this.#isPatient) this.#finish(why instanceof ConnectFailed ? why : new ConnectFailed(why.message));
    else if (isAtOnce) this.#dial();
    else if (this.state !== "closed") this.#wait(why);
  }

  /** @param {RadioError} why */
  #wait(why) {
    const pause = this.#told === null ? this.#longest * this.settings.random() : Math.min(this.#told, MOST_TOLD_MS);
    if (this.#told === null) this.#longest = Math.min(this.#longest * 2, LONGEST_RETRY_MS);
    this.#timer = setTimeout(() => this.#dial(), pause);
    this.#enter("waiting", { retryAt: Date.now() + pause, reason: why.message });
  }

  /** @param {RadioError} error */
  #finish(error) {
    clearTimeout(this.#timer);
    clearInterval(this.#ticker);
    this.#hooks.abort();
    this.#why = error;
    this.#enter("closed", { reason: error.message });
    const [queued, started] = [this.#queued, this.#started];
    this.#queued = new Set();
    this.#started = null;
    for (const each of this.#ordered()) each.end?.(error);
    for (const ask of queued) ask.then(null, error);
    started?.(null, error);
    this.#onClosed();
  }

  close() {
    this.#closed ??= new Promise((resolve) => (this.#onClosed = resolve));
    this.#leave();
    return this.#closed;
  }

  #leave() {
    if (this.state === "closed") return this.#onClosed();
    if (this.state === "closing") return;
    const wasOpen = this.state === "open";
    this.#enter("closing");
    if (!wasOpen) return this.#socket ? this.#lost(new Disconnected("closed")) : this.#finish(new Disconnected("closed"));
    this.send([GOODBYE, {}, "wamp.close.close_realm"]);
    this.#timer = setTimeout(() => this.#lost(new Disconnected("closed")), GOODBYE_MS);
  }

  /** @param {State} state @param {Why} [why] */
  #enter(state, why = {}) {
    if (state === this.state) return;
    this.state = state;
    if (state !== "closing") this.onState(state, why);
  }

  // The session.

  /** @param {any[]} message Send it as it is. */
  send(message) {
    this.#socket?.send(this.settings.serializer.encode(message, this.#isBatched));
  }

  get unsent() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Under the next id, which is taken once it is sure that it can be sent: one that is left out ends the session.
   * @param {number} kind @param {any[]} rest */
  #number(kind, rest) {
    this.send([kind, this.#count + 1, ...rest]);
    return ++this.#count;
  }

  /** @param {unknown} data */
  #receive(data) {
    const socket = this.#socket;
    this.#heard = Date.now();
    this.#came++;
    try {
      const messages = this.settings.serializer.decode(data, this.#isBatched);
      if (!messages.length) throw new TypeError("nothing in it");
      for (const message of messages) {
        // Events may be on their way while a subscription ends.
        if (message[0] === EVENT && this.session !== null) this.takers.get(message[1])?.take(message);
        else this.#handle(message);
        if (this.#socket !== socket) return;
      }
    } catch (error) {
      if (this.#socket === socket) this.#lost(new Disconnected(`the server does not keep to the protocol: ${error}`));
    }
  }

  /** @param {any[]} message */
  #handle(message) {
    const [code, first, second, third] = message;
    if (code === ABORT || code === GOODBYE) return this.#over(code, first, second);
    if (this.session === null) {
      if (code === WELCOME) return this.#open(first, second);
      if (code === CHALLENGE) return this.#challenged(first);
      throw new TypeError(`a message ${code} before WELCOME`);
    }
    switch (code) {
      case PUBLISHED:
      case SUBSCRIBED:
      case REGISTERED:
        return this.#settle(first, message);
      case RESULT:
        if (second.progress !== true) return this.#settle(first, message);
        this.#asked.get(first)?.onProgress?.(valueOf(third, message[4]));
        return;
      case ERROR:
        return this.#settle(second, null, refusal(message[4], message[5], message[6]));
      case UNSUBSCRIBED:
        return first ? this.#settle(first, message) : this.#revoked(second);
      // #region services
      case UNREGISTERED:
        return first ? this.#settle(first, message) : this.#taken(second);
      case INVOCATION:
        return this.#invoked(message);
      case INTERRUPT:
        return this.calls.get(first)?.cancel(true);
      // #endregion
      default:
        throw new TypeError(`a message ${code}`);
    }
  }

  /** @param {number} session @param {Record<string, any>} details */
  #open(session, details) {
    if (!Number.isSafeInteger(session)) throw new TypeError("a session without a number");
    clearTimeout(this.#timer);
    this.#longest = FIRST_RETRY_MS;
    this.session = session;
    this.server = details;
    this.#enter("open");
    for (const each of this.#ordered()) each.begin();
    const [queued, started] = [this.#queued, this.#started];
    this.#queued = new Set();
    this.#started = null;
    for (const ask of queued) this.#submit(ask);
    started?.(this);
  }

  /** What is made again in each session: procedures first, and channels before who listens to them. */
  #ordered() {
    return [...this.#lasting].sort((one, other) => one.rank - other.rank);
  }

  /** @param {string} method */
  #challenged(method) {
    const { ticket } = this.settings;
    if (method === "ticket" && ticket !== undefined) return this.send([AUTHENTICATE, ticket, {}]);
    this.#lost(new LoginRefused(`${URI}no_matching_auth_method`, `the server asks for ${method}`));
  }

  /** @param {number} code @param {Record<string, any>} details @param {string} uri */
  #over(code, details, uri) {
    const text = details.message ?? "";
    const retry = details._retry_after;
    this.#told = typeof retry === "number" ? retry * 1000 : null;
    const isRefused = code === ABORT && this.session === null && this.#told === null && FOR_GOOD.test(uri);
    this.#why = isRefused ? new LoginRefused(uri, text) : new Disconnected(`${uri} ${text}`.trim());
    if (code === GOODBYE && uri !== "wamp.close.goodbye_and_out") this.send([GOODBYE, {}, "wamp.close.goodbye_and_out"]);
    this.#lost(this.#why);
  }

  /** @param {number} request @param {any} message @param {any} [error] */
  #settle(request, message, error) {
    const ask = this.#asked.get(request);
    this.#asked.delete(request);
    ask?.then(message, error);
  }

  /** @param {{ subscription?: number, reason?: string }} details */
  #revoked({ subscription = 0, reason = `${URI}no_such_subscription` }) {
    const taken = this.takers.get(subscription);
    this.takers.delete(subscription);
    taken?.end(new CallError(reason, [`the subscription to ${taken.name} was taken away`]));
  }

  // #region services
  /** Somebody else has it now, or we may not have it: we do not take it back. @param {{ registration?: number, reason?: string }} details */
  #taken({ registration = 0, reason = `${URI}no_such_registration` }) {
    const taken = this.callees.get(registration);
    this.callees.delete(registration);
    const error = new CallError(reason, [`the registration of ${taken?.procedure} was taken away`]);
    taken?.end(error);
    this.complain(error);
  }

  /** @param {any[]} message */
  #invoked(message) {
    const call = new Invocation(this, message);
    const callee = this.callees.get(message[2]);
    const uri = !callee ? "no_such_procedure" : this.calls.size >= MOST_WAITING ? "unavailable" : "";
    if (!callee || uri) return call.fail(new ServiceError(URI + uri), false);
    this.calls.set(message[1], call);
    callee.callee(call);
  }
  // #endregion

  // What is asked for.

  /** In this session, or not at all. @param {number} kind @param {any[]} rest @param {Then} [then] */
  request(kind, rest, then = () => {}) {
    if (this.session === null) return;
    // Who outlives sessions asks again in the next one.
    const once = (/** @type {any} */ message, /** @type {any} */ error) => error instanceof Disconnected || then(message, error);
    this.#submit({ kind, rest, then: once, request: 0 });
  }

  /** A procedure of the router's own. @param {string} procedure @param {any[]} args @param {Then} [then] */
  query(procedure, args, then = () => {}) {
    this.request(CALL, [{}, procedure, args], (message, error) => then(message?.[3]?.[0], error));
  }

  /** @param {Ask} ask */
  #submit(ask) {
    ask.request = this.#number(ask.kind, ask.rest);
    this.#asked.set(ask.request, ask);
  }

  /**
   * A request, sent now or once there is a session, with an end within `timeout`.
   *
   * @param {number} kind @param {any[]} rest @param {CallOptions} [options] @returns {Promise<any>} the message
   */
  ask(kind, rest, { timeout = this.settings.timeout, signal, onProgress } = {}) {
    return within(timeout, signal, () => (this.session === null ? "" : "no answer"), (resolve, reject) => {
      if (this.state === "closing" || this.state === "closed") throw this.error;
      const then = (/** @type {any} */ message, /** @type {any} */ error) => (error ? reject(error) : resolve(message));
      const ask = { kind, rest, then, onProgress, request: 0 };
      if (this.session === null) this.#queue(ask);
      else this.#submit(ask);
      return () => this.#cancel(ask);
    });
  }

  get error() {
    return this.state === "closed" && this.#why ? this.#why : new Disconnected("closed");
  }

  /** @param {Ask} ask */
  #queue(ask) {
    if (this.#queued.size >= MOST_WAITING) throw new RadioError("too many requests wait for a connection");
    this.settings.serializer.encode(ask.rest, false); // What cannot be said is told now.
    this.#queued.add(ask);
  }

  /** Nobody waits for it any more; a callee that still works is told. @param {Ask} ask */
  #cancel(ask) {
    if (!this.#queued.delete(ask) && this.#asked.delete(ask.request) && ask.kind === CALL) {
      this.send([CANCEL, ask.request, { mode: "killnowait" }]);
    }
  }

  /** A request without an answer. @param {number} kind @param {any[]} rest */
  tell(kind, rest) {
    if (this.session === null) throw this.state === "closed" ? this.error : new Disconnected("there is no connection now");
    this.#number(kind, rest);
  }

  /** @param {Lasting} lasting Make it in this session, and in each one to come. */
  keep(lasting) {
    this.#lasting.add(lasting);
    if (this.session !== null) lasting.begin();
  }

  /** @param {Lasting} lasting which this session has already */
  adopt(lasting) {
    this.#lasting.add(lasting);
  }

  /** @param {Lasting} lasting */
  forget(lasting) {
    this.#lasting.delete(lasting);
    if (lasting instanceof Subscription && this.subscriptions.get(lasting.name) === lasting) this.subscriptions.delete(lasting.name);
  }

  /** @param {string} name @param {string | undefined} key @param {Listen} past @param {Buffer} buffer */
  subscription(name, key, past, buffer) {
    const found = this.subscriptions.get(name);
    if (found) {
      if (!found.fits(past, buffer)) throw new TypeError(`${name} is listened to already: another Radio can have another past or buffer`);
      return found;
    }
    if (this.state === "closing" || this.state === "closed") throw this.error;
    const made = new Subscription(this, name, key, past, buffer);
    this.subscriptions.set(name, made);
    return made;
  }
}

/**
 * Samples of a channel, as they come: iterate over it with `for await`.
 *
 * @implements {AsyncIterableIterator<Sample>}
 */
export class Listening {
  /** Resolved once whatever comes arrives; rejected if listening is refused. @type {Promise<Listening>} */ ready;
  /** Samples that gaps told as lost so far, where they told a number. */ lost = 0;
  /** @type {Sample[]} */ #samples = [];
  #head = 0;
  /** @type {Gap | null} */ #dropped = null;
  /** @type {Waiting[]} */ #waiting = [];
  #isEnded = false;
  /** @type {any} */ #error;
  /** @type {Sample | null} taken */ #last = null;
  /** @type {string | null} where it began */ #first = null;
  #queue;
  #subscription;
  #callback;
  #complain;
  #isBusy = false;
  #isOpen = false;
  /** @type {{ resolve: (value: any) => void, reject: (error: any) => void }} */ #opening;
  #unhook = () => {};

  /** @internal @param {any} line @param {string} name @param {string | undefined} key @param {ListenOptions} options
   * @param {((sample: Sample) => any) | null} callback @param {() => void} [onOpened] in each session */
  constructor(line, name, key, { after, last, retained, queue = 1000, signal, ...buffer }, callback, onOpened) {
    if (!(queue >= 1)) throw new TypeError("queue: at least 1");
    signal?.throwIfAborted();
    this.#queue = queue;
    this.#callback = callback;
    this.onOpened = onOpened;
    this.#complain = line.complain;
    this.#opening = /** @type {any} */ ({});
    this.ready = new Promise((resolve, reject) => (this.#opening = { resolve, reject }));
    this.ready.catch(() => {}); // Who iterates is told as well.
    /** @type {Subscription} */
    const subscription = line.subscription(name, key, { after, last, retained }, buffer);
    this.#subscription = subscription;
    const isFirst = !subscription.listenings.length;
    subscription.listenings = [...subscription.listenings, this];
    if (isFirst) line.keep(subscription);
    else if (subscription.isReady) this.opened();
    if (!signal) return;
    const onAbort = () => this.end(signal.reason);
    signal.addEventListener("abort", onAbort);
    this.#unhook = () => signal.removeEventListener("abort", onAbort);
  }

  /** Behind the last sample that was taken: what a later `listen({ after })` goes on from. */
  get position() {
    return this.#last?.position ?? this.#first ?? this.#subscription.position;
  }

  /** @internal */
  opened() {
    this.#first ??= this.#subscription.position;
    this.#isOpen = true;
    this.#opening.resolve(this);
    this.onOpened?.();
  }

  /** @internal @param {Sample} sample */
  put(sample) {
    if (this.#isEnded) return;
    if (this.#callback && !this.#isBusy) return this.#call(this.#noted(sample));
    if (this.#waiting.length) return this.#waiting.shift()?.resolve({ value: this.#noted(sample), done: false });
    this.#samples.push(sample);
    if (this.#samples.length - this.#head <= this.#queue) return;
    const { gap } = this.#shift();
    this.#dropped = joined(joined(new Gap(1, "queue"), gap), this.#dropped);
  }

  /** @internal @param {any} [error] nothing: it was closed */
  end(error) {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#unhook();
    this.#opening.reject(error ?? new Disconnected("closed"));
    this.#subscription.leave(this);
    for (const waiting of this.#waiting.splice(0)) this.#finish(waiting);
  }

  /** @internal @param {RadioError} error */
  fail(error) {
    // A callback hears of it by nobody else.
    if (this.#callback && this.#isOpen && !(error instanceof Disconnected)) this.#complain(error);
    this.end(error);
  }

  /** @param {Waiting} waiting */
  #finish({ resolve, reject }) {
    // To be closed by oneself is no error.
    if (this.#error === undefined || this.#error instanceof Disconnected) resolve({ value: undefined, done: true });
    else reject(this.#error);
  }

  #shift() {
    const sample = this.#samples[this.#head++];
    if (this.#head === this.#samples.length) {
      this.#samples = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#samples.length) {
      this.#samples = this.#samples.slice(this.#head);
      this.#head = 0;
    }
    return sample;
  }

  /** @param {Sample} sample */
  #noted(sample) {
    if (this.#dropped) {
      const gap = joined(this.#dropped, sample.gap);
      sample = new Sample(sample.channel, sample.args, sample.kwargs, sample.details, gap);
      this.#dropped = null;
    }
    if (sample.gap) this.lost += sample.gap.lost ?? 0;
    this.#last = sample;
    return sample;
  }

  /** @param {Sample} sample One at a time, in order. */
  #call(sample) {
    try {
      const result = this.#callback?.(sample);
      if (typeof result?.then !== "function") return;
      this.#isBusy = true;
      const go = () => {
        this.#isBusy = false;
        while (!this.#isBusy && !this.#isEnded && this.#samples.length) this.#call(this.#noted(this.#shift()));
      };
      result.then(go, (/** @type {any} */ error) => (this.#complain(error), go()));
    } catch (error) {
      this.#complain(error);
    }
  }

  /** The next sample. @returns {Promise<IteratorResult<Sample, undefined>>} */
  next() {
    if (this.#samples.length) return Promise.resolve({ value: this.#noted(this.#shift()), done: false });
    return new Promise((resolve, reject) => {
      if (this.#isEnded) this.#finish({ resolve, reject });
      else this.#waiting.push({ resolve, reject });
    });
  }

  /** The next sample, or CallTimeout. @param {number} timeout @param {AbortSignal} [signal] @returns {Promise<Sample>} */
  get(timeout, signal) {
    return within(timeout, signal, () => "no sample", (resolve, reject) => {
      /** @type {Waiting} */
      const mine = { resolve: ({ value, done }) => (done ? reject(new Disconnected("closed")) : resolve(value)), reject };
      if (this.#samples.length) resolve(this.#noted(this.#shift()));
      else if (this.#isEnded) this.#finish(mine);
      else this.#waiting.push(mine);
      return () => (this.#waiting = this.#waiting.filter((waiting) => waiting !== mine));
    });
  }

  /** Listen no longer. */
  close() {
    this.end();
  }

  /** @returns {Promise<IteratorResult<Sample, undefined>>} */
  async return() {
    this.end();
    this.#samples = [];
    this.#head = 0;
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

/** One channel: nothing is sent before something is asked of it. */
export class Channel {
  /** @protected @type {any} */ _radio;
  /** @type {string | undefined} of a private channel */ key;

  /** @internal @param {any} radio @param {string} name @param {string | undefined} key */
  constructor(radio, name, key) {
    this._radio = radio;
    this.name = name;
    this.key = key;
  }

  /** Listen: `for await (const sample of channel.listen())`. @param {ListenOptions} [options] */
  listen(options = {}) {
    return new Listening(this._radio._line, this.name, this.key, options, null);
  }

  /**
   * Have `callback` called with each sample, one at a time and in order; one that throws is told as event `error`.
   *
   * @param {(sample: Sample) => any} callback @param {ListenOptions} [options]
   */
  async subscribe(callback, options = {}) {
    return new Listening(this._radio._line, this.name, this.key, options, callback).ready;
  }

  /**
   * Publish a sample. Listeners of this Radio do not get it.
   *
   * @param {any} data
   * @param {{ acknowledge?: boolean, retain?: boolean, timeout?: number, signal?: AbortSignal, stream?: { id: string | number, end?: boolean } }} [options]
   * @returns {Promise<number | null>} the publication's id; null without acknowledgement
   */
  async publish(data, { acknowledge = true, retain, stream, ...limits } = {}) {
    const line = this._radio._line;
    const options = { acknowledge: acknowledge || undefined, retain, _radiod_stream: stream, _radiod_key: this.key };
    const rest = [options, this.name, [data]];
    if (acknowledge) return (await line.ask(PUBLISH, rest, limits))[2];
    const end = Date.now() + (limits.timeout ?? line.settings.timeout);
    while (line.unsent > MOST_UNSENT) {
      if (Date.now() > end) throw new Disconnected("the server does not read");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    line.tell(PUBLISH, rest);
    return null;
  }

  /** A run of samples that belong together. @param {string | number} [id] */
  stream(id = crypto.randomUUID()) {
    return new Stream(this, id);
  }

  /** Write only while somebody listens. @returns {Promise<Writer>} */
  async writer() {
    return new Writer(this._radio, this).ready;
  }

  /** Samples that the channel keeps, oldest first. @param {{ after?: string, limit?: number }} [options] @returns {Promise<Sample[]>} */
  async history({ after, limit = 100 } = {}) {
    const { events } = await this._radio.call("radiod.channel.history", [this.name, after ?? null, limit]);
    return events.map((/** @type {any} */ { position, time, args = [], kwargs = {} }) => {
      const [_epoch, _seq] = parsed(position);
      return new Sample(this.name, args, kwargs, { _epoch, _seq, time }, null);
    });
  }

  /** The newest sample that the channel keeps, or null. @returns {Promise<Sample | null>} */
  async latest() {
    const { position } = await this.info();
    if (!position) return null;
    const [epoch, seq] = parsed(position);
    return (await this.history({ after: `${epoch}:${Math.max(seq - 1, 0)}` })).at(-1) ?? null;
  }

  /** What the server says of it. @returns {Promise<Record<string, any>>} */
  info() {
    return this._radio.call("radiod.channel.get", [this.name]);
  }

  /** Who listens. @returns {Promise<{ users: Record<string, number>, count: number, total: number }>} */
  presence() {
    return this._radio.call("radiod.presence.get", [this.name]);
  }

  /** Set the server's buffer. @param {Buffer} settings @returns {Promise<Buffer>} all settings in effect */
  async tune(settings) {
    const tuned = await this._radio.call("radiod.channel.tune", [this.name], { kwargs: settings });
    this._radio._line.subscriptions.get(this.name)?.tuned(settings);
    return tuned;
  }
}

/** A channel that this Radio created: `controlKey` is for whoever is to control it, too. */
export class Created extends Channel {
  /** @internal */ rank = 1;

  /** @internal @param {any} radio @param {any} made */
  constructor(radio, { name, key, control_key, expires }) {
    super(radio, name, key ?? undefined);
    /** @type {string} */ this.controlKey = control_key;
    /** @type {number | null} seconds since 1970 */ this.expires = expires;
    radio._line.adopt(this);
  }

  /** @internal In each session we are its owner again. */
  begin() {
    const { _line } = this._radio;
    const told = (/** @type {any} */ _, /** @type {any} */ error) => error && _line.complain(error);
    _line.query("radiod.channel.open_write", [this.name, this.key ?? null, this.controlKey], told);
  }

  /** Have it end in so many seconds from now. @param {number} lifetime */
  async extend(lifetime) {
    this.expires = (await this._radio.call("radiod.channel.extend", [this.name, lifetime, this.controlKey])).expires;
    return this.expires;
  }

  /** End it. @returns {Promise<void>} */
  async delete() {
    this._radio._line.forget(this);
    await this._radio.call("radiod.channel.delete", [this.name, this.controlKey]);
  }
}

/** A run of samples that belong together. */
export class Stream {
  #channel;

  /** @internal @param {Channel} channel @param {string | number} id */
  constructor(channel, id) {
    this.#channel = channel;
    this.id = id;
  }

  /** @param {any} data @param {{ acknowledge?: boolean, end?: boolean }} [options] */
  put(data, { end, ...options } = {}) {
    return this.#channel.publish(data, { ...options, stream: { id: this.id, end } });
  }

  /** The last sample. @param {any} [data] */
  end(data = null) {
    return this.put(data, { end: true });
  }
}

/** Publishes only while somebody listens. */
export class Writer {
  /** Whether anybody listens. */ wanted = false;
  readers = 0;
  /** @internal @type {Promise<Writer>} */ ready;
  #channel;
  #radio;
  /** @type {Listening | undefined} */ #demand;
  /** @type {Set<(value?: any) => void>} */ #waiting = new Set();

  /** @internal @param {any} radio @param {Channel} channel */
  constructor(radio, channel) {
    this.#radio = radio;
    this.#channel = channel;
    this.ready = new Promise((resolve, reject) => {
      const open = () => {
        const answer = radio.call("radiod.channel.open_write", [channel.name, channel.key ?? null]);
        answer.then((/** @type {any} */ told) => (this.#set(told), resolve(this))).catch((/** @type {any} */ error) => {
          reject(error);
          if (!(error instanceof Disconnected)) this.#radio._line.complain(error);
        });
      };
      const heard = (/** @type {Sample} */ { data }) => data?.name === channel.name && this.#set(data);
      this.#demand = new Listening(radio._line, DEMAND, undefined, {}, heard, open);
      this.#demand.ready.catch(reject);
    });
  }

  /** @param {{ active: boolean, readers: number }} demand */
  #set({ active, readers }) {
    this.wanted = active;
    this.readers = readers;
    if (active) for (const resolve of this.#waiting) resolve();
  }

  /** Wait until somebody listens. @param {{ timeout?: number, signal?: AbortSignal }} [options] @returns {Promise<void>} */
  waitWanted({ timeout, signal } = {}) {
    return within(timeout, signal, () => "no listener", (resolve) => {
      if (this.wanted) resolve();
      else this.#waiting.add(resolve);
      return () => this.#waiting.delete(resolve);
    });
  }

  /**
   * Publish if anybody listens. @param {any} data @param {{ acknowledge?: boolean, wait?: boolean }} [options] wait: until somebody does
   * @returns {Promise<boolean>} false: nobody does, and nothing was sent
   */
  async put(data, { wait = false, ...options } = {}) {
    if (wait) await this.waitWanted();
    if (!this.wanted) return false;
    await this.#channel.publish(data, options);
    return true;
  }

  /** Write no longer. @returns {Promise<void>} */
  async close() {
    this.#demand?.close();
    await this.#radio.call("radiod.channel.close_write", [this.#channel.name]);
  }
}

// #region services
/** @type {CurrentCall | null} */
let current = null;

/** @typedef {Pick<Invocation, "signal" | "details" | "progress">} CurrentCall */

/**
 * The call that is being served: ask before the first `await` of a function that is called.
 *
 * @returns {CurrentCall}
 */
export function currentCall() {
  if (!current) throw new RadioError("no call is being served here");
  return current;
}

/** @param {string} source of a list; what is between its commas @returns {string[]} */
function split(source) {
  const parts = [""];
  let depth = 0;
  for (const [piece] of source.matchAll(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|[^]/g)) {
    if ("([{".includes(piece)) depth++;
    if (")]}".includes(piece) && --depth < 0) break;
    if (piece === "," && !depth) parts.push("");
    else parts[parts.length - 1] += piece;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

/** @param {string} source of a default @returns {Pick<Parameter, "default" | "annotation">} one that is no JSON is told as it is written */
function defaultOf(source) {
  try {
    return { default: JSON.parse(source.replace(/^'([^'"\\]*)'$/, '"$1"')) };
  } catch {
    return { default: null, annotation: `= ${source}`.slice(0, 255) };
  }
}

/**
 * How a function is called, read from its text; or what it says in its own property `signature`.
 *
 * @param {any} fn @returns {Signature | undefined}
 */
function signatureOf(fn) {
  if (fn.signature) return fn.signature;
  const text = String(fn).replace(/\/\*[^]*?\*\/|\/\/.*/g, "");
  const alone = /^(?:async\s+)?([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=>/u.exec(text);
  const parts = alone ? [alone[1]] : split(text.slice(text.indexOf("(") + 1));
  const parameters = parts.map((part) => {
    const [, rest, name, given] = /^(\.\.\.)?([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*(?:=([^]*))?$/u.exec(part) ?? [];
    const kind = rest ? "var_positional" : "positional_or_keyword";
    return { name, kind, ...(given !== undefined && defaultOf(given.trim())) };
  });
  const isKnown = parameters.every(({ name }) => name) && parameters.length <= 256 && !text.includes("[native code]");
  return isKnown ? { parameters } : undefined;
}

/**
 * What `this[procedure](...args, **kwargs)` would be without keywords. @throws TypeError it cannot be called so
 *
 * @param {string} procedure @param {Signature | null | undefined} signature @param {any[]} args @param {Record<string, any>} kwargs
 */
function bind(procedure, signature, args, kwargs) {
  const wrong = (/** @type {string} */ what) => {
    throw new TypeError(`${procedure}: ${what}`);
  };
  if (!signature) return;
  const left = new Set(Object.keys(kwargs));
  let [given, isOpen, isOpenToNames] = [args.length, false, false];
  for (const parameter of signature.parameters) {
    const { name, kind } = parameter;
    if (kind === "var_positional") isOpen = true;
    else if (kind === "var_keyword") isOpenToNames = true;
    else {
      const isByPlace = kind !== "keyword_only" && given-- > 0;
      const isNamed = kind !== "positional_only" && left.delete(name);
      if (isByPlace && isNamed) wrong(`${name} is given twice`);
      if (!isByPlace && !isNamed && !("default" in parameter)) wrong(`${name} is missing`);
    }
  }
  if (given > 0 && !isOpen) wrong(`${given} arguments too many`);
  if (left.size && !isOpenToNames) wrong(`there is no ${[...left].join(", ")}`);
}

/**
 * Arguments as a function of JavaScript takes them: names go to their places, what has none is an object behind them.
 *
 * @param {Signature | undefined} signature @param {any[]} args @param {Record<string, any>} kwargs
 */
function placed(signature, args, kwargs) {
  const all = [...args];
  const left = { ...kwargs };
  signature?.parameters.forEach(({ name, kind }, place) => {
    if (!Object.hasOwn(left, name) || kind === "var_positional" || place < args.length) return;
    all[place] = left[name];
    delete left[name];
  });
  return Object.keys(left).length ? [...all, left] : all;
}

/** One call of one of our functions, while it runs. */
class Running {
  /** @type {any[]} */ #collected = [];

  /** @param {any} self @param {(...args: any[]) => any} fn @param {Invocation} call */
  constructor(self, fn, call) {
    this.self = self;
    this.fn = fn;
    this.call = call;
  }

  /** @template T @param {() => T} act @returns {T} */
  #as(act) {
    const before = current;
    current = this.call;
    try {
      return act();
    } finally {
      current = before;
    }
  }

  /** @param {any[]} args @param {() => Promise<void>} room */
  async run(args, room) {
    const result = this.#as(() => this.fn.apply(this.self, args));
    const isGenerator = typeof result?.next === "function" && (result[Symbol.asyncIterator] || result[Symbol.iterator]);
    return isGenerator ? this.#drain(result, room) : result;
  }

  /** @param {any} generator @param {() => Promise<void>} room */
  async #drain(generator, room) {
    const { call } = this;
    const wantsProgress = call.details.receive_progress === true;
    try {
      while (!call.isOver) {
        const { value, done } = await this.#as(() => generator.next());
        if (done) return value === undefined && !wantsProgress ? this.#collected : value;
        if (wantsProgress) call.progress(value);
        else if (this.#collected.push(value) > MOST_WAITING) {
          throw new ServiceError(`${URI}payload_size_exceeded`, ["too many results: take them one by one"]);
        }
        await room();
      }
    } finally {
      await generator.return();
    }
  }
}

/** @param {any} object @param {string} prefix @param {any[]} outer @returns {Generator<[string, any, any]>} procedure, its object, its function */
function* offers(object, prefix, outer) {
  if (outer.includes(object)) throw new TypeError(`${prefix}: an object inside itself`);
  const names = new Set();
  for (let level = object; level && level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const name of Object.getOwnPropertyNames(level)) if (/^rpc_./.test(name)) names.add(name);
  }
  for (const name of names) {
    const value = object[name];
    const procedure = `${prefix}.${name.slice(4)}`;
    if (typeof value === "function") yield [procedure, object, value];
    else if (value && typeof value === "object") yield* offers(value, procedure, [...outer, object]);
    else throw new TypeError(`${procedure}: no function, and no object that has some`);
  }
}

/** Procedures that are offered, over reconnections too. */
export class Registered {
  #registrations;

  /** @internal @param {any[]} registrations */
  constructor(registrations) {
    this.#registrations = registrations;
  }

  /** Offer them no longer. */
  close() {
    for (const each of this.#registrations) each.leave();
  }
}

/** A function of a proxy: `await calc.add(1, 2)`, `await calc.add.with({ kwargs: { b: 2 } })(1)`, `for await (… of calc.count.iter(3))`. */
class Remote {
  /** @type {Promise<Signature | null> | undefined} */ #signature;

  /** @param {Radio} radio @param {string} procedure */
  constructor(radio, procedure) {
    this.radio = radio;
    this.procedure = procedure;
  }

  /** @param {CallOptions} options @param {any[]} args */
  async call(options, args) {
    const signature = await (this.#signature ??= this.#describe());
    bind(this.procedure, signature, args, options.kwargs ?? {});
    return this.radio.call(this.procedure, args, options);
  }

  async #describe() {
    try {
      return (await this.radio.call("radiod.rpc.describe", [this.procedure])).signature;
    } catch (error) {
      this.#signature = undefined; // It may be told another time.
      if (error instanceof Disconnected) throw error;
      return null;
    }
  }

  /** @param {CallOptions} options @param {any[]} args */
  async *iter(options, args) {
    const aborter = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, aborter.signal]) : aborter.signal;
    /** @type {any[]} */
    let values = [];
    let wake = () => {};
    let isOver = false;
    let failed = false;
    const onProgress = (/** @type {any} */ value) => {
      // A gap in a result would be a wrong result.
      if (values.length >= MOST_WAITING) aborter.abort(new RadioError("too many results wait: the call was canceled"));
      else values.push(value);
      wake();
    };
    /** @type {any} */
    let error;
    this.call({ ...options, signal, onProgress }, args)
      .catch((/** @type {any} */ reason) => ([failed, error] = [true, reason]))
      .finally(() => ((isOver = true), wake()));
    try {
      for (;;) {
        const came = values;
        values = [];
        yield* came;
        if (values.length) continue;
        if (failed) throw error;
        if (isOver) return;
        await new Promise((/** @type {(value?: any) => void} */ resolve) => (wake = resolve));
      }
    } finally {
      if (!isOver) aborter.abort(new CallCanceled(CANCELED));
    }
  }

  /** @param {CallOptions} options @returns {any} */
  face(options) {
    const fn = (/** @type {any[]} */ ...args) => this.call(options, args);
    /** @type {Map<string | symbol, any>} */
    const inner = new Map(
      Object.entries({
        with: (/** @type {CallOptions} */ more) => this.face({ ...options, ...more }),
        withTimeout: (/** @type {number} */ timeout) => this.face({ ...options, timeout }),
        iter: (/** @type {any[]} */ ...args) => this.iter(options, args),
        then: undefined, // To await it is a mistake, and no call.
      }),
    );
    return new Proxy(fn, {
      get: (_, name) => {
        if (typeof name === "symbol") return undefined;
        if (!inner.has(name)) inner.set(name, new Remote(this.radio, `${this.procedure}.${name}`).face(options));
        return inner.get(name);
      },
    });
  }
}
// #endregion

/** @param {string} url @returns {string} of the WebSocket there */
function websocketUrl(url) {
  const found = new URL(url, globalThis.location?.href);
  if (!/^(http|ws)s?:$/.test(found.protocol) || found.username) throw new TypeError(`no address of a radiod: ${url}`);
  found.protocol = found.protocol.replace("http", "ws");
  found.hash = "";
  if (found.pathname === "/") found.pathname = "/ws";
  return found.href;
}

/**
 * A connection to a radiod that is made again whenever it breaks.
 *
 * Events: `state` has `state`, `retryAt` and `reason`; `error` has `error`: what callbacks threw, and what went wrong
 * without anybody who waits for it. One that nobody takes by `preventDefault()` is written to the console.
 */
export class Radio extends EventTarget {
  /** Errors that callbacks threw so far. */ callbackErrors = 0;
  /** @protected @type {any} */ _line;

  /**
   * @param {string} url `http(s)://` or `ws(s)://`, with a path only if it is not `/ws`
   * @param {{ realm?: string, authid?: string, ticket?: string, serializer?: Serializer, timeout?: number, connectTimeout?: number,
   *   onState?: (state: State, why: Why) => void, WebSocket?: any, random?: () => number }} [options]
   *   timeout: that an answer may take; connectTimeout: until a session is open; WebSocket: where the platform has none
   */
  constructor(url, { realm = "radio", serializer = JSON_, timeout = 20_000, connectTimeout = 10_000, onState, ...more } = {}) {
    super();
    const settings = { WebSocket: globalThis.WebSocket, random: Math.random, ...more, realm, serializer, timeout, connectTimeout };
    if (!settings.WebSocket) throw new TypeError("no WebSocket here: give one, new Radio(url, { WebSocket })");
    if ((settings.ticket === undefined) !== (settings.authid === undefined)) throw new TypeError("authid and ticket belong together");
    const tell = (/** @type {State} */ state, /** @type {Why} */ why) =>
      queueMicrotask(() => {
        this.dispatchEvent(Object.assign(new Event("state"), { state, ...why }));
        try {
          onState?.(state, why);
        } catch (error) {
          this._line.complain(error);
        }
      });
    this._line = new Line(websocketUrl(url), settings, tell, (error) => {
      if (!(error instanceof RadioError)) this.callbackErrors++;
      const event = Object.assign(new Event("error", { cancelable: true }), { error });
      if (this.dispatchEvent(event)) console.error("radiod:", error);
    });
  }

  /** @returns {State} */
  get state() {
    return this._line.state;
  }

  /** The session's id, while there is one. @returns {number | null} */
  get session() {
    return this._line.session;
  }

  /** What the server said of itself and of us when it last let us in. @returns {Record<string, any>} */
  get server() {
    return this._line.server;
  }

  /**
   * Open the first session; later ones open by themselves.
   *
   * @param {{ signal?: AbortSignal, retry?: boolean }} [options] retry: wait for a server that is not there yet
   * @returns {Promise<this>} rejects with ConnectFailed or LoginRefused
   */
  connect({ signal, retry = false } = {}) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.state !== "new") throw new RadioError("this Radio was connected before: make another one");
      const onAbort = () => (reject(signal?.reason), this._line.close());
      signal?.addEventListener("abort", onAbort);
      this._line.start(retry, (/** @type {any} */ line, /** @type {any} */ error) => {
        signal?.removeEventListener("abort", onAbort);
        if (error) reject(error);
        else resolve(this);
      });
    });
  }

  /** Try now instead of waiting for the next try. */
  retry() {
    this._line.retry();
  }

  /** Ask whether the server is still there, and connect anew if it does not answer. @param {number} [limit] */
  check(limit = AWAKE_MS) {
    this._line.check(limit);
  }

  /** Say goodbye; listeners end, and nothing is left. @returns {Promise<void>} */
  close() {
    return this._line.close();
  }

  /** @param {string} name @param {{ key?: string }} [options] key: of a private one */
  channel(name, { key } = {}) {
    return new Channel(this, name, key);
  }

  /**
   * Create a channel; after a reconnection it is taken over again, silently.
   *
   * @param {string} name
   * @param {{ on_owner_leave?: number | "keep" | "delete", public?: boolean, key?: string, lifetime?: number, single_writer?: boolean,
   *   buffer?: Buffer, history?: object, presence?: boolean, durable?: boolean }} [settings] of `radiod.channel.create`, in
   *   its words and seconds; on_owner_leave: for how long it waits for this Radio to come back
   */
  async create(name, settings = {}) {
    return new Created(this, await this.call("radiod.channel.create", [name], { kwargs: { on_owner_leave: 30, ...settings } }));
  }

  /**
   * Call a procedure: its result, or a list of several.
   *
   * @param {string} procedure @param {any[]} [args] @param {CallOptions} [options] @returns {Promise<any>}
   */
  async call(procedure, args = [], { kwargs, onProgress, ...limits } = {}) {
    const timeout = limits.timeout ?? this._line.settings.timeout;
    const options = { timeout: Math.max(1, Math.round(timeout)), receive_progress: onProgress && true };
    const rest = [options, procedure, args, ...(kwargs ? [kwargs] : [])];
    const told = onProgress && ((/** @type {any} */ value) => {
      try {
        onProgress(value);
      } catch (error) {
        this._line.complain(error);
      }
    });
    const message = await this._line.ask(CALL, rest, { ...limits, onProgress: told });
    return valueOf(message[3], message[4]);
  }

  // #region services
  /**
   * Offer a procedure, over reconnections too. Generators give progressive results.
   *
   * @param {string} procedure @param {(...args: any[]) => any} fn @param {{ traceback?: boolean }} [options] traceback: callers are told
   */
  register(procedure, fn, { traceback = false } = {}) {
    return this.#offer([[procedure, undefined, fn]], traceback);
  }

  /**
   * Offer an object's methods `rpc_add` as `rpc.<name>.add`, and those of objects in `rpc_sub` as `rpc.<name>.sub.…`
   *
   * @param {object} object @param {string} name @param {{ traceback?: boolean }} [options]
   */
  async serve(object, name, { traceback = false } = {}) {
    const found = [...offers(object, `rpc.${name}`, [])];
    if (!found.length) throw new TypeError(`${name} has no methods rpc_…`);
    return this.#offer(found, traceback);
  }

  /** @param {[string, any, any][]} found @param {boolean} traceback All of them, or none. */
  async #offer(found, traceback) {
    /** @type {Registration[]} */
    const made = [];
    const ready = found.map(([procedure, self, fn]) => {
      if (typeof fn !== "function") throw new TypeError(`${procedure}: no function`);
      const signature = signatureOf(fn);
      return new Promise((resolve, reject) => {
        const callee = (/** @type {Invocation} */ call) => this.#run(self, fn, signature, call, traceback);
        const registration = new Registration(this._line, procedure, signature, callee, (_, error) => (error ? reject(error) : resolve(_)));
        made.push(registration);
        this._line.keep(registration);
      });
    });
    const registered = new Registered(made);
    try {
      await Promise.all(ready);
    } catch (error) {
      registered.close();
      throw error;
    }
    return registered;
  }

  /** @param {any} self @param {any} fn @param {Signature | undefined} signature @param {Invocation} call @param {boolean} traceback */
  async #run(self, fn, signature, call, traceback) {
    const line = this._line;
    const room = async () => {
      while (line.unsent > MOST_UNSENT && !call.isOver) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    try {
      call.answer(await new Running(self, fn, call).run(placed(signature, call.args, call.kwargs), room));
    } catch (error) {
      if (call.isOver) return;
      if (!(error instanceof ServiceError)) line.complain(error);
      call.fail(error, traceback);
    }
  }

  /** The functions of a service: `await radio.proxy("calc").add(1, 2)`. @param {string} name @returns {any} */
  proxy(name) {
    return new Remote(this, `rpc.${name}`).face({});
  }
  // #endregion

  /**
   * Many channels on this one connection: `demultiplex({ weather: (sample) => …, traffic: (sample) => … })`.
   *
   * @param {Record<string, (sample: Sample) => any>} streams channel -> what is called @param {ListenOptions} [options] of each
   */
  async demultiplex(streams, options = {}) {
    const asked = Object.entries(streams).map(([name, callback]) => new Listening(this._line, name, undefined, options, callback));
    const close = () => asked.forEach((each) => each.close());
    try {
      await Promise.all(asked.map((each) => each.ready));
    } catch (error) {
      close();
      throw error;
    }
    return { close };
  }
}
