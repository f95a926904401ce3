// The client without a network: what it sends, what it makes of what comes, and when.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import * as radiod from "../../../clients/js/radiod.js";
import { event, listening, made, opened, settled } from "./fake.mjs";

const { CallError, CallTimeout, ConnectFailed, Disconnected, Gap, LoginRefused, Radio, RemoteError, ServiceError } = radiod;
const NOW = 1_000_000;

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: NOW }));
afterEach(() => mock.timers.reset());

const after = async (milliseconds) => {
  mock.timers.tick(milliseconds);
  await settled();
};

/** Comes back on another wire. */
async function reconnected({ last }) {
  await after(200);
  last().welcome(8);
  await settled();
  return last();
}

const rejected = (promise) => promise.then(() => assert.fail("no error"), (error) => error);

// Connecting.

test("it asks for batches first, and says who it is", async () => {
  const { wire, states, radio } = await opened({ realm: "lab", authid: "joe", ticket: "secret" });
  assert.deepEqual(wire.protocols, ["wamp.2.json.batched", "wamp.2.json"]);
  assert.equal(wire.url, "ws://host/ws");
  const [[, realm, details]] = wire.take(1);
  assert.equal(realm, "lab");
  assert.deepEqual([details.authid, details.authmethods], ["joe", ["ticket"]]);
  assert.deepEqual([states, radio.state, radio.session], [["connecting", "open"], "open", 7]);
});

test("a server without batches is served without", async () => {
  const { radio, last } = made();
  const connected = radio.connect();
  last().send = (data) => last().sent.push(JSON.parse(data));
  last().open("wamp.2.json");
  last().raw("[2, 7, {}]");
  assert.equal((await connected).session, 7);
});

for (const protocol of ["", "wamp.2.cbor"]) {
  test(`a server that speaks ${protocol || "nothing"} is none`, async () => {
    const { radio, last } = made();
    const connected = radio.connect();
    last().open(protocol);
    assert.match((await rejected(connected)).message, /speaks/);
    assert.deepEqual([radio.state, last().isClosed], ["closed", true]);
  });
}

test("a server that never answers is given up", async () => {
  const { radio, last } = made({ connectTimeout: 3000 });
  const connected = radio.connect();
  last().open();
  await after(3000);
  const error = await rejected(connected);
  assert.ok(error instanceof ConnectFailed);
  assert.match(error.message, /no session within 3 s/);
});

test("nobody there is told once, or waited for", async () => {
  const first = made();
  const connected = first.radio.connect();
  first.last().lose();
  assert.ok((await rejected(connected)) instanceof ConnectFailed);
  const { radio, last, wires } = made();
  const patient = radio.connect({ retry: true });
  last().lose();
  await after(200);
  last().lose();
  await after(399);
  assert.equal(wires.length, 2);
  await after(1);
  last().welcome();
  assert.equal((await patient).state, "open");
});

test("a wrong ticket is never tried again", async () => {
  const { radio, last, wires } = made({ authid: "joe", ticket: "wrong" });
  const connected = radio.connect({ retry: true });
  last().open();
  last().say([4, "ticket", {}]);
  assert.deepEqual(last().take(5), [[5, "wrong", {}]]);
  last().say([3, { message: "no" }, "wamp.error.authentication_denied"]);
  const error = await rejected(connected);
  assert.ok(error instanceof LoginRefused);
  assert.equal(error.uri, "wamp.error.authentication_denied");
  await after(60_000);
  assert.deepEqual([wires.length, radio.state], [1, "closed"]);
});

test("a challenge of another kind is no way in", async () => {
  const { radio, last } = made();
  const connected = radio.connect();
  last().open();
  last().say([4, "wampcra", {}]);
  assert.match((await rejected(connected)).message, /wampcra/);
});

test("connecting can be given up", async () => {
  const { radio, last } = made();
  const aborter = new AbortController();
  const connected = radio.connect({ signal: aborter.signal });
  aborter.abort();
  assert.equal((await rejected(connected)).name, "AbortError");
  assert.deepEqual([radio.state, last().isClosed], ["closed", true]);
});

test("pauses double up to 15 s, and begin anew with each success", async () => {
  const { radio, last, wires, wire } = await opened();
  wire.lose();
  const pauses = [];
  for (let turn = 0; turn < 9; turn++) {
    const before = wires.length;
    let pause = 0;
    for (; wires.length === before; pause += 100) await after(100);
    pauses.push(pause);
    last().lose();
  }
  assert.deepEqual(pauses, [200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000]);
  await after(15_000);
  last().welcome();
  last().lose();
  const count = wires.length;
  await after(200);
  assert.equal(wires.length, count + 1);
  radio.close();
});

test("a server that says when to come back is obeyed", async () => {
  const { wires, wire, last } = await opened();
  wire.say([6, { message: "draining", _retry_after: 2.5 }, "wamp.close.system_shutdown"]);
  assert.deepEqual(wire.take(6), [[6, {}, "wamp.close.goodbye_and_out"]]);
  await after(2400);
  assert.equal(wires.length, 1);
  await after(100);
  assert.equal(wires.length, 2);
  last().open();
  last().say([3, { _retry_after: 60 }, "wamp.error.not_authorized"]);
  await after(59_999);
  assert.equal(wires.length, 2);
  await after(1);
  assert.equal(wires.length, 3);
});

test("retry does not wait", async () => {
  const { wires, wire, radio } = await opened();
  wire.lose();
  radio.retry();
  assert.equal(wires.length, 2);
});

test("close says goodbye, and nothing is left", async () => {
  const { radio, wire, states } = await opened();
  const listen = radio.channel("x").listen();
  const next = listen.next();
  const call = rejected(radio.call("f"));
  const closed = radio.close();
  assert.deepEqual(wire.take(6), [[6, {}, "wamp.close.close_realm"]]);
  wire.say([6, {}, "wamp.close.goodbye_and_out"]);
  await closed;
  assert.deepEqual(await next, { value: undefined, done: true });
  assert.ok((await call) instanceof Disconnected);
  assert.ok((await rejected(radio.call("f"))) instanceof Disconnected);
  assert.throws(() => radio.channel("x").listen(), Disconnected);
  assert.deepEqual([radio.state, wire.isClosed, states.at(-1)], ["closed", true, "closed"]);
  await radio.close();
});

test("close waits two seconds for a goodbye, and not at all without a session", async () => {
  const { radio } = await opened();
  const closed = radio.close();
  await after(2000);
  await closed;
  const unborn = made().radio;
  await unborn.close();
  assert.equal(unborn.state, "closed");
});

for (const wrong of ["ftp://host", "http://joe@host", "nothing"]) {
  test(`${wrong} is no address`, () => assert.throws(() => new Radio(wrong, { WebSocket: Object }), TypeError));
}

test("half a login is none, and neither is a platform without WebSocket", () => {
  assert.throws(() => made({ ticket: "x" }), TypeError);
  assert.throws(() => made({ authid: "x" }), TypeError);
  assert.throws(() => new Radio("http://host", { WebSocket: null }), /WebSocket/);
});

// What no server should send.

const NONSENSE = ["", "\x1e", "{", "null\x1e", "7\x1e", "[]\x1e", "[2]\x1e", "[36,5,2,{},\"\"]\x1e", "[99,1]\x1e", "[2,7,{}]\x1e", "[36,5\x1e", new ArrayBuffer(4)];
for (const data of NONSENSE) {
  test(`a server that says ${JSON.stringify(data)} is left, and asked again`, async () => {
    const all = await opened();
    const { made: listen } = await listening(all.wire, () => all.radio.channel("x").listen());
    all.wire.say(event(1));
    all.wire.raw(data);
    assert.deepEqual([all.wire.isClosed, all.radio.state], [true, "waiting"]);
    const wire = await reconnected(all);
    assert.equal(wire.take(32)[0][2]._radiod_after, "e:1");
    assert.equal((await listen.next()).value.data, 1);
  });
}

for (const early of ["[36,5,1,{}]", "[33,1,1]", "[50,1,{}]", "[68,1,1,{}]"]) {
  test(`${early} before WELCOME is no session`, async () => {
    const { radio, last } = made();
    const connected = radio.connect();
    last().open();
    last().raw(`${early}\x1e`);
    assert.match((await rejected(connected)).message, /protocol/);
  });
}

test("answers and events that nobody waits for change nothing", async () => {
  const { radio, wire } = await opened();
  wire.say([36, 99, 1, {}], [36, 99, 1, {}, null, { a: 1 }], [33, 99, 1], [50, 99, {}], [8, 48, 99, {}, "a.b"], [35, 0, { subscription: 99 }], [69, 99, {}]);
  assert.equal(radio.state, "open");
});

test("text that only looks like bytes is text", async () => {
  const { radio, wire } = await opened();
  const { made: listen } = await listening(wire, () => radio.channel("x").listen());
  wire.say(event(1, ["\0AQL/", "\0!", "\\u0000", { __proto__: null, a: "\0" }]));
  const { data } = (await listen.next()).value;
  assert.deepEqual(data[0], new Uint8Array([1, 2, 255]));
  assert.deepEqual(data.slice(1, 3), ["\0!", "\\u0000"]);
  wire.raw(`[36,5,1,{},[${"[".repeat(200_000)}"\\u0000"${"]".repeat(200_000)}]]\x1e`);
  assert.equal(radio.state, "open");
});

// Listening.

test("it asks where a channel is before it listens, and goes on behind the last event", async () => {
  const all = await opened();
  const { made: listen, options } = await listening(all.wire, () => all.radio.channel("x").listen({ size: 5, policy: "clear" }), { position: "e:3" });
  assert.deepEqual(options, { _radiod_position: true, _radiod_buffer: { size: 5, policy: "clear" }, _radiod_after: "e:3" });
  assert.equal(listen.position, "e:3");
  all.wire.say(event(4), event(5));
  all.wire.lose();
  const wire = await reconnected(all);
  const [[, request, again]] = wire.take(32);
  assert.equal(again._radiod_after, "e:5");
  wire.say([33, request, 6], [36, 6, 1, { _epoch: "e", _seq: 6 }, ["replayed"]]);
  assert.deepEqual([(await listen.next()).value.data, (await listen.next()).value.data, (await listen.next()).value.data], [4, 5, "replayed"]);
  assert.deepEqual([listen.position, listen.lost], ["e:6", 0]);
});

test("one that is cut off before its first event knows where it began", async () => {
  const all = await opened();
  const { made: listen } = await listening(all.wire, () => all.radio.channel("x").listen(), { history: false });
  all.wire.lose();
  const wire = await reconnected(all);
  const [[, request, options]] = wire.take(32);
  assert.equal(options._radiod_after, "e:0");
  wire.say([33, request, 5], event(3, "c", { _recovered: false }));
  assert.deepEqual((await listen.next()).value.gap, new Gap(2, "reconnect"));
  assert.equal(listen.lost, 2);
});

test("a topic that is counted from now on has a name for its count", async () => {
  const all = await opened();
  const listen = all.radio.channel("x").listen();
  all.wire.answer({ "radiod.channel.get": new Error("radiod.error.no_such_channel") });
  const [[, request, options]] = all.wire.take(32);
  assert.equal("_radiod_after" in options, false);
  all.wire.say([33, request, 5]);
  all.wire.answer({ "radiod.channel.get": { position: "n:4" } });
  await listen.ready;
  assert.equal(listen.position, "n:0");
});

test("nobody says where it is: what was missed is told, without a number", async () => {
  const all = await opened();
  const nowhere = { "radiod.channel.get": new Error("wamp.error.not_authorized") };
  const listen = all.radio.channel("x").listen();
  all.wire.answer(nowhere);
  all.wire.say([33, all.wire.take(32)[0][1], 5]);
  all.wire.answer(nowhere);
  await listen.ready;
  all.wire.lose();
  const wire = await reconnected(all);
  wire.answer(nowhere);
  wire.say([33, wire.take(32)[0][1], 5], [36, 5, 1, {}, ["a"]], [36, 5, 1, {}, ["b"]]);
  assert.deepEqual((await listen.next()).value.gap, new Gap(null, "reconnect"));
  assert.equal((await listen.next()).value.gap, null);
});

test("gaps: of the server's buffer, of a history that was left, of another count, of numbers left out on purpose", async () => {
  const all = await opened();
  const { made: listen } = await listening(all.wire, () => all.radio.channel("x").listen());
  all.wire.say(event(1), event(5, "lost", { _lost: 3 }), event(9, "left", { _recovered: false }));
  all.wire.say([36, 5, 1, { _epoch: "f", _seq: 2, _recovered: false }, ["anew"]]);
  const gaps = [];
  for (let n = 0; n < 4; n++) gaps.push((await listen.next()).value.gap);
  assert.deepEqual(gaps, [null, new Gap(3, "buffer"), new Gap(3, "history"), new Gap(null, "history")]);
  const other = await opened();
  const { made: thinned } = await listening(other.wire, () => other.radio.channel("x").listen({ every: 2 }), { history: false });
  other.wire.say(event(2), event(8, 8, { _recovered: false }));
  await thinned.next();
  assert.deepEqual((await thinned.next()).value.gap, new Gap(null, "reconnect"));
});

test("by numbers that are left out nobody can count", async () => {
  const { radio, wire } = await opened();
  const { made: listen } = await listening(wire, () => radio.channel("x").listen(), { position: "xe:1" });
  wire.say([36, 5, 1, { _epoch: "xe", _seq: 9, _recovered: false }, ["a"]]);
  assert.equal((await listen.next()).value.gap, null);
  wire.say([36, 5, 1, { _epoch: "xe", _seq: 20, _recovered: false }, ["b"]]);
  assert.deepEqual((await listen.next()).value.gap, new Gap(null, "history"));
});

test("the first event of one that has no past to be told of has no gap", async () => {
  const { radio, wire } = await opened();
  const { made: listen } = await listening(wire, () => radio.channel("x").listen());
  wire.say(event(7, 7, { _recovered: false }));
  assert.equal((await listen.next()).value.gap, null);
});

test("the past: behind a position, or the last ones", async () => {
  const { radio, wire } = await opened();
  radio.channel("x").listen({ after: "e:4" });
  assert.equal(wire.take(32)[0][2]._radiod_after, "e:4");
  for (const [page, position] of [
    [{ events: [{ position: "e:7" }], position: "e:7" }, "e:6"],
    [{ events: [], position: "e:4" }, "e:9"],
    [new Error("wamp.error.history_unavailable"), "e:9"],
  ]) {
    const listen = radio.channel("y").listen({ last: 3 });
    wire.answer({ "radiod.channel.history": page });
    wire.answer({ "radiod.channel.get": { position: "e:9" } });
    const [[, request, options]] = wire.take(32);
    assert.equal(options._radiod_after, position);
    wire.say([33, request, 5]);
    listen.close();
    wire.say([35, wire.take(34)[0][1]]);
  }
  assert.throws(() => radio.channel("z").listen({ after: "nowhere" }), TypeError);
});

test("a queue that is full drops the oldest, and tells all that is missing as one gap", async () => {
  const { radio, wire } = await opened();
  const { made: listen } = await listening(wire, () => radio.channel("x").listen({ queue: 2 }));
  wire.say(event(1), event(2), event(6, 6, { _lost: 3 }), event(7), event(8));
  const { value } = await listen.next();
  assert.deepEqual([value.data, value.gap, listen.lost], [7, new Gap(6, "queue"), 6]);
  assert.deepEqual([(await listen.next()).value.gap, listen.position], [null, "e:8"]);
  assert.throws(() => radio.channel("y").listen({ queue: 0 }), TypeError);
});

test("many samples through a queue keep their order", async () => {
  const { radio, wire } = await opened();
  const { made: listen } = await listening(wire, () => radio.channel("x").listen({ queue: 10_000 }));
  wire.say(...Array.from({ length: 5000 }, (_, n) => event(n + 1)));
  for (let n = 1; n <= 5000; n++) assert.equal((await listen.next()).value.data, n);
});

test("several who listen share a subscription, or are told that they cannot", async () => {
  const { radio, wire } = await opened();
  const channel = radio.channel("x");
  const { made: one } = await listening(wire, () => channel.listen({ size: 5 }));
  const two = channel.listen({ size: 5, queue: 3 });
  await two.ready;
  assert.throws(() => channel.listen(), /listened to already/);
  assert.throws(() => channel.listen({ size: 5, after: "e:1" }), /listened to already/);
  wire.say(event(1));
  assert.deepEqual([(await one.next()).value.data, (await two.next()).value.data], [1, 1]);
  one.close();
  assert.deepEqual(wire.take(34), []);
  two.close();
  assert.equal(wire.take(34)[0][2], 5);
});

test("a loop that is left listens no longer", async () => {
  const { radio, wire } = await opened();
  const { made: listen } = await listening(wire, () => radio.channel("x").listen());
  wire.say(event(1));
  for await (const sample of listen) {
    assert.equal(sample.data, 1);
    break;
  }
  assert.equal(wire.take(34).length, 1);
});

test("who listens, leaves and listens anew while answers are on their way has one subscription", async () => {
  const { radio, wire } = await opened();
  const channel = radio.channel("map");
  channel.listen({ retained: true }).close();
  const again = channel.listen({ retained: true });
  const [[, first, options]] = wire.take(32);
  assert.deepEqual(options, { get_retained: true, _radiod_position: true });
  assert.deepEqual(wire.take(32), []);
  wire.say([33, first, 5]);
  assert.equal(wire.take(34)[0][2], 5);
  wire.say([33, wire.take(32)[0][1], 5], [36, 5, 1, { retained: true }, ["map"]]);
  assert.equal((await again.next()).value.data, "map");
});

test("a signal ends listening with its reason", async () => {
  const { radio, wire } = await opened();
  const aborter = new AbortController();
  const { made: listen } = await listening(wire, () => radio.channel("x").listen({ signal: aborter.signal }));
  const next = rejected(listen.next());
  aborter.abort(new Error("enough"));
  assert.equal((await next).message, "enough");
  assert.equal(wire.take(34).length, 1);
  assert.throws(() => radio.channel("x").listen({ signal: aborter.signal }), /enough/);
});

test("get waits so long and no longer", async () => {
  const { radio, wire } = await opened();
  const { made: listen } = await listening(wire, () => radio.channel("x").listen());
  const late = rejected(listen.get(50));
  await after(50);
  assert.ok((await late) instanceof CallTimeout);
  const got = listen.get(50);
  wire.say(event(1));
  assert.equal((await got).data, 1);
  const ended = rejected(listen.get(50));
  listen.close();
  assert.ok((await ended) instanceof Disconnected);
});

test("a refusal, and access that ends", async () => {
  const { radio, wire } = await opened();
  const listen = radio.channel("x").listen();
  wire.answer({});
  wire.say([8, 32, wire.take(32)[0][1], {}, "wamp.error.not_authorized", ["no"]]);
  assert.equal((await rejected(listen.next())).uri, "wamp.error.not_authorized");
  assert.equal((await rejected(listen.ready)).message, "wamp.error.not_authorized: no");
  const { made: other } = await listening(wire, () => radio.channel("y").listen());
  wire.say([35, 0, { subscription: 5, reason: "radiod.error.channel_closed" }]);
  assert.equal((await rejected(other.next())).uri, "radiod.error.channel_closed");
});

test("a quota that is over for a moment is no end", async () => {
  const all = await opened();
  const { made: listen } = await listening(all.wire, () => all.radio.channel("x").listen());
  all.wire.lose();
  const wire = await reconnected(all);
  wire.say([8, 32, wire.take(32)[0][1], {}, "radiod.error.rate_limited"]);
  await after(2000);
  wire.say([33, wire.take(32)[0][1], 5], event(1));
  assert.equal((await listen.next()).value.data, 1);
});

test("private channels, and the router's own topics, which have no positions", async () => {
  const { radio, wire } = await opened();
  radio.channel("secret", { key: "k" }).listen({ after: "e:0" });
  assert.equal(wire.take(48)[0][3], "radiod.channel.join");
  assert.equal(wire.take(32)[0][2]._radiod_key, "k");
  radio.channel("radiod.channel.on_create").listen();
  assert.deepEqual([wire.take(32)[0][2], wire.take(48)], [{}, []]);
});

// Callbacks.

test("callbacks come one at a time and in order; one that throws is told and goes on", async () => {
  const { radio, wire } = await opened();
  const errors = [];
  radio.addEventListener("error", ({ error }) => errors.push(error.message));
  const seen = [];
  let release;
  const callback = ({ data }) => {
    seen.push(data);
    if (data === 1) throw new Error("one");
    if (data === 2) return new Promise((resolve, reject) => (release = () => reject(new Error("two"))));
  };
  const { made: subscribed } = await listening(wire, () => radio.channel("x").subscribe(callback));
  wire.say(event(1), event(2), event(3), event(4));
  assert.deepEqual(seen, [1, 2]);
  release();
  await settled();
  assert.deepEqual([seen, errors, radio.callbackErrors], [[1, 2, 3, 4], ["one", "two"], 2]);
  (await subscribed).close();
});

test("a callback may close, listen and publish", async () => {
  const { radio, wire } = await opened();
  const seen = [];
  const { made: subscribed } = await listening(wire, () => radio.channel("x").subscribe(async ({ data }) => {
    seen.push(data);
    radio.channel("y").publish(data, { acknowledge: false });
    radio.channel("x").subscribe(({ data }) => seen.push(`other ${data}`));
    (await subscribed).close();
  }));
  wire.say(event(1), event(2));
  await settled();
  assert.deepEqual(seen, [1, "other 2"]);
  assert.equal(wire.take(16).length, 1);
});

test("a callback that closes the radio gets nothing more", async () => {
  const { radio, wire } = await opened();
  const seen = [];
  await listening(wire, () => radio.channel("x").subscribe(({ data }) => (seen.push(data), radio.close())));
  wire.say(event(1));
  wire.say([6, {}, "wamp.close.goodbye_and_out"], event(2));
  await settled();
  assert.deepEqual([seen, radio.state], [[1], "closed"]);
});

test("several streams on one connection", async () => {
  const { radio, wire } = await opened();
  const seen = [];
  const asked = radio.demultiplex({ a: ({ data }) => seen.push(["a", data]), b: ({ data }) => seen.push(["b", data]) });
  wire.answer({ "radiod.channel.get": { position: "e:0" } });
  wire.take(32).forEach(([, request], index) => wire.say([33, request, 10 + index]));
  const all = await asked;
  wire.say([36, 11, 1, {}, [1]], [36, 10, 1, {}, [2]]);
  assert.deepEqual(seen, [["b", 1], ["a", 2]]);
  all.close();
  assert.equal(wire.take(34).length, 2);
});

// Publishing and calling.

test("publishing, acknowledged or not", async () => {
  const { radio, wire } = await opened();
  const channel = radio.channel("x");
  const published = channel.publish({ n: 1 }, { retain: true });
  const [[, request, options, name, args]] = wire.take(16);
  assert.deepEqual([options, name, args], [{ acknowledge: true, retain: true }, "x", [{ n: 1 }]]);
  wire.say([17, request, 99]);
  assert.equal(await published, 99);
  assert.equal(await channel.publish(1, { acknowledge: false }), null);
  const stream = channel.stream("run");
  stream.put(1);
  stream.end(2);
  assert.deepEqual(wire.take(16).map(([, , { _radiod_stream }]) => _radiod_stream), [undefined, { id: "run" }, { id: "run", end: true }]);
});

const circular = {};
circular.self = circular;
for (const [what, data] of Object.entries({ NaN, infinity: [-Infinity], bigint: 1n, function: () => 1, symbol: { a: Symbol("s") }, circular, half: "\ud800", "half a key": { "\udc00": 1 }, NUL: ["\0x"] })) {
  test(`${what} cannot be said, and no number is used up`, async () => {
    const { radio, wire } = await opened();
    assert.ok((await rejected(radio.channel("x").publish(data))) instanceof TypeError);
    radio.channel("x").publish(1).catch(() => {});
    assert.equal(wire.take(16)[0][1], 1);
    wire.lose();
    assert.ok((await rejected(radio.channel("x").publish(data))) instanceof TypeError);
  });
}

test("bytes travel as WAMP's JSON has them", async () => {
  const { radio, wire } = await opened();
  radio.channel("x").publish([new Uint8Array([1, 2, 255]), new Uint8Array([9, 1, 9]).subarray(1, 2), new ArrayBuffer(1), new Uint8Array(20_000)]);
  const [[, , , , [data]]] = wire.take(16);
  assert.deepEqual(data.slice(0, 3), ["\0AQL/", "\0AQ==", "\0AA=="]);
  assert.equal(data[3].length, 1 + 4 * Math.ceil(20_000 / 3));
});

test("calls, their results, progress and refusals", async () => {
  const { radio, wire } = await opened();
  const progress = [];
  const answered = radio.call("f", [1], { kwargs: { b: 2 }, timeout: 500, onProgress: (value) => progress.push(value) });
  const [[, request, options, procedure, args, kwargs]] = wire.take(48);
  assert.deepEqual([options, procedure, args, kwargs], [{ timeout: 500, receive_progress: true }, "f", [1], { b: 2 }]);
  wire.say([50, request, { progress: true }, [1]], [50, request, { progress: true }, [2]], [50, request, {}, [3]]);
  assert.deepEqual([await answered, progress], [3, [1, 2]]);
  const told = async (...rest) => {
    const call = radio.call("f").catch((error) => error);
    const [[, request]] = wire.take(48);
    wire.say([rest[0] === 8 ? 8 : 50, ...(rest[0] === 8 ? [48] : []), request, {}, ...rest.slice(1)]);
    return call;
  };
  assert.deepEqual(await told(50, [1, 2]), [1, 2]);
  assert.deepEqual(await told(50, [], { a: 1 }), { a: 1 });
  assert.equal(await told(50), null);
  const remote = await told(8, "wamp.error.runtime_error", ["oh"], { type: "KeyError", message: "oh" });
  assert.ok(remote instanceof RemoteError);
  assert.deepEqual([remote.type, remote.message, remote.traceback, remote.uri], ["KeyError", "oh", "", "wamp.error.runtime_error"]);
  const plain = await told(8, "my.error", ["why"], { code: 7 });
  assert.ok(plain instanceof CallError);
  assert.deepEqual([plain.uri, plain.args, plain.kwargs, plain.message], ["my.error", ["why"], { code: 7 }, "my.error: why"]);
});

test("a call that is given up, by time or by a signal, is canceled", async () => {
  const { radio, wire } = await opened();
  const late = rejected(radio.call("f", [], { timeout: 100 }));
  const aborter = new AbortController();
  const aborted = rejected(radio.call("g", [], { signal: aborter.signal }));
  await after(100);
  aborter.abort();
  assert.ok((await late) instanceof CallTimeout);
  assert.equal((await aborted).name, "AbortError");
  assert.deepEqual(wire.take(49).map(([, request, options]) => [request, options]), [[1, { mode: "killnowait" }], [2, { mode: "killnowait" }]]);
  wire.say([50, 1, {}, [1]]);
  assert.equal((await rejected(radio.call("h", [], { signal: aborter.signal }))).name, "AbortError");
  assert.deepEqual(wire.take(48).map((message) => message[3]), ["f", "g"]);
});

test("a connection that breaks ends what waits for an answer; what is asked meanwhile waits for the next one", async () => {
  const all = await opened();
  const broken = rejected(all.radio.call("f"));
  all.wire.lose();
  assert.ok((await broken) instanceof Disconnected);
  const waiting = all.radio.call("g");
  const late = rejected(all.radio.call("h", [], { timeout: 100 }));
  await after(100);
  assert.ok((await late) instanceof Disconnected);
  assert.ok((await rejected(all.radio.channel("x").publish(1, { acknowledge: false }))) instanceof Disconnected);
  const wire = await reconnected(all);
  const [[, request, , procedure]] = wire.take(48);
  assert.equal(procedure, "g");
  wire.say([50, request, {}, [1]]);
  assert.equal(await waiting, 1);
});

test("what waits for a connection has a bound", async () => {
  const { radio, wire } = await opened();
  wire.lose();
  for (let n = 0; n < 10_000; n++) radio.call("f").catch(() => {});
  assert.match((await rejected(radio.call("f"))).message, /too many/);
  await radio.close();
});

test("a server that does not read is waited for, and not for ever", async () => {
  const { radio, wire } = await opened({ timeout: 50 });
  wire.bufferedAmount = 2 ** 21;
  const published = rejected(radio.channel("x").publish(1, { acknowledge: false }));
  for (let n = 0; n < 10; n++) await after(10);
  assert.match((await published).message, /does not read/);
});

test("the past, the present and who is there are asked for", async () => {
  const { radio, wire } = await opened();
  const channel = radio.channel("x");
  const ask = async (promise, answers) => {
    for (const each of answers) {
      await settled();
      wire.answer(each);
    }
    return promise;
  };
  const page = { events: [{ position: "e:5", time: 1, args: [7] }], position: "e:5" };
  const [sample] = await ask(channel.history({ after: "e:4", limit: 1 }), [{ "radiod.channel.history": page }]);
  assert.deepEqual([sample.data, sample.position], [7, "e:5"]);
  assert.equal((await ask(channel.latest(), [{ "radiod.channel.get": { position: "e:5" } }, { "radiod.channel.history": page }])).data, 7);
  assert.equal(await ask(channel.latest(), [{ "radiod.channel.get": {} }]), null);
  assert.deepEqual(await ask(channel.presence(), [{ "radiod.presence.get": { total: 1 } }]), { total: 1 });
  assert.deepEqual(await ask(channel.tune({ size: 9 }), [{ "radiod.channel.tune": { size: 9 } }]), { size: 9 });
});

// What is ours over all sessions.

test("a channel that was created is ours again in the next session, until it is deleted", async () => {
  const all = await opened();
  const asked = all.radio.create("mine", { lifetime: 60 });
  const [, request, , , args, kwargs] = all.wire.sent.at(-1);
  assert.deepEqual([args, kwargs], [["mine"], { on_owner_leave: 30, lifetime: 60 }]);
  all.wire.say([50, request, {}, [{ name: "mine", control_key: "c", expires: 9, key: null }]]);
  const mine = await asked;
  assert.deepEqual([mine.controlKey, mine.expires, mine.key], ["c", 9, undefined]);
  all.wire.lose();
  const wire = await reconnected(all);
  assert.deepEqual(wire.take(48).map((message) => message.slice(3)), [["radiod.channel.open_write", ["mine", null, "c"]]]);
  mine.delete().catch(() => {});
  wire.lose();
  assert.deepEqual((await reconnected(all)).take(48), []);
});

test("a writer sends only while somebody listens, in each session anew", async () => {
  const all = await opened();
  const asked = all.radio.channel("x").writer();
  all.wire.say([33, all.wire.take(32)[0][1], 5]);
  await settled();
  all.wire.answer({ "radiod.channel.open_write": { active: false, readers: 0 } });
  const writer = await asked;
  assert.deepEqual([writer.wanted, await writer.put(1), all.wire.take(16)], [false, false, []]);
  const waited = writer.waitWanted({ timeout: 1000 });
  all.wire.say([36, 5, 1, {}, [{ name: "y", active: true, readers: 1 }]], [36, 5, 1, {}, [{ name: "x", active: true, readers: 2 }]]);
  await waited;
  assert.deepEqual([writer.wanted, writer.readers], [true, 2]);
  assert.equal(await writer.put(1, { acknowledge: false }), true);
  all.wire.lose();
  const wire = await reconnected(all);
  wire.say([33, wire.take(32)[0][1], 5]);
  await settled();
  wire.answer({ "radiod.channel.open_write": { active: false, readers: 0 } });
  await settled();
  assert.equal(writer.wanted, false);
  const late = rejected(writer.waitWanted({ timeout: 10 }));
  await after(10);
  assert.ok((await late) instanceof CallTimeout);
});

// Services.

async function serving(wire, offered) {
  const requests = wire.take(64);
  requests.forEach(([, request], index) => wire.say([65, request, 100 + index]));
  await offered;
  return Object.fromEntries(requests.map(([, , options, procedure], index) => [procedure, { id: 100 + index, options }]));
}

test("methods are procedures, with their signatures; names find their places", async () => {
  const { radio, wire } = await opened();
  class Calc {
    rpc_sub = { rpc_neg: (x) => -x };
    rpc_add(a, b = 0, /* , */ c = "a,(b", ...rest) {
      return [a, b, c, ...rest];
    }
    rpc_open({ a }) {
      return a;
    }
    helper() {}
  }
  const found = await serving(wire, radio.serve(new Calc(), "calc"));
  assert.deepEqual(Object.keys(found).sort(), ["rpc.calc.add", "rpc.calc.open", "rpc.calc.sub.neg"]);
  const kind = "positional_or_keyword";
  assert.deepEqual(found["rpc.calc.add"].options._radiod_signature.parameters, [
    { name: "a", kind },
    { name: "b", kind, default: 0 },
    { name: "c", kind, default: "a,(b" },
    { name: "rest", kind: "var_positional" },
  ]);
  assert.equal(found["rpc.calc.open"].options._radiod_signature, undefined);
  const called = async (procedure, ...rest) => {
    wire.say([68, 1, found[procedure].id, {}, ...rest]);
    await settled();
    return wire.take(70, 8)[0];
  };
  assert.deepEqual(await called("rpc.calc.add", [1], { c: "x" }), [70, 1, {}, [[1, null, "x"]]].with(3, [[1, 0, "x"]]));
  assert.deepEqual(await called("rpc.calc.sub.neg", [], { x: 3 }), [70, 1, {}, [-3]]);
  assert.deepEqual(await called("rpc.calc.open", [{ a: 5 }]), [70, 1, {}, [5]]);
});

test("what is no service says so", async () => {
  const { radio } = await opened();
  assert.match((await rejected(radio.serve({}, "x"))).message, /no methods/);
  assert.match((await rejected(radio.serve({ rpc_a: 5 }, "x"))).message, /no function/);
  const inside = {};
  inside.rpc_a = inside;
  assert.match((await rejected(radio.serve(inside, "x"))).message, /inside itself/);
  assert.match((await rejected(radio.register("x", 5))).message, /no function/);
});

test("procedures are registered again, before anything else, and taken over; refused first, they are given up", async () => {
  const all = await opened();
  await listening(all.wire, () => all.radio.channel("x").listen());
  await serving(all.wire, all.radio.register("f", () => 1));
  all.wire.lose();
  const wire = await reconnected(all);
  assert.deepEqual(wire.sent.filter(([kind]) => kind !== 1).map(([kind]) => kind), [64, 32]);
  const [[, again, { force_reregister }]] = wire.take(64);
  assert.equal(force_reregister, true);
  wire.say([65, again, 100]);
  wire.say([67, 0, { registration: 100, reason: "a.b" }]);
  wire.lose();
  assert.deepEqual((await reconnected(all)).take(64), []);
  const refused = rejected(all.radio.register("g", () => 1));
  const third = all.last();
  third.say([8, 64, third.take(64)[0][1], {}, "wamp.error.procedure_already_exists"]);
  assert.equal((await refused).uri, "wamp.error.procedure_already_exists");
});

test("a signature that the router does not take is left out", async () => {
  const { radio, wire } = await opened();
  const offered = radio.register("f", (a) => a);
  wire.say([8, 64, wire.take(64)[0][1], {}, "radiod.error.quota"]);
  const found = await serving(wire, offered);
  assert.equal("_radiod_signature" in found.f.options, false);
});

test("errors travel: by type and message, with a traceback if asked, a ServiceError as itself", async () => {
  const { radio, wire } = await opened();
  const wrong = [new RangeError("far"), new ServiceError("my.error", [1], { a: 2 }), "text", new ServiceError("my.error", [1n])];
  for (const [index, error] of wrong.entries()) {
    const found = await serving(wire, radio.register(`f${index}`, () => { throw error; }, { traceback: index === 0 }));
    wire.say([68, index, found[`f${index}`].id, {}]);
    await settled();
  }
  wire.say([68, 9, 999, {}]);
  const told = wire.take(8).map(([, , , , uri, args, kwargs]) => [uri, args, kwargs]);
  assert.match(told[0][2].traceback, /RangeError: far/);
  delete told[0][2].traceback;
  assert.deepEqual(told, [
    ["wamp.error.runtime_error", ["far"], { type: "RangeError", message: "far" }],
    ["my.error", [1], { a: 2 }],
    ["wamp.error.runtime_error", ["text"], { type: "Error", message: "text" }],
    ["wamp.error.runtime_error", ["what went wrong cannot be sent"], undefined],
    ["wamp.error.no_such_procedure", [], {}],
  ]);
});

test("generators give progress, or a list to who wants none; a call that is canceled stops them", async () => {
  const { radio, wire } = await opened();
  let closed = 0;
  let signal;
  async function* count(n) {
    signal = radiod.currentCall().signal;
    try {
      for (let at = 0; at < n; at++) yield at;
      if (n > 9) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    } finally {
      closed++;
    }
    if (n === 1) return "done";
  }
  const found = await serving(wire, radio.register("count", count));
  const call = async (request, details, n) => {
    wire.say([68, request, found.count.id, details, [n]]);
    await settled();
    await settled();
    return wire.take(70, 8);
  };
  assert.deepEqual(await call(1, { receive_progress: true }, 2), [[70, 1, { progress: true }, [0]], [70, 1, { progress: true }, [1]], [70, 1, {}, [null]]]);
  assert.deepEqual(await call(2, {}, 2), [[70, 2, {}, [[0, 1]]]]);
  assert.deepEqual(await call(3, {}, 1), [[70, 3, {}, ["done"]]]);
  await call(4, { receive_progress: true }, 10);
  wire.say([69, 4, {}]);
  assert.deepEqual(wire.take(8).map(([, , request, , uri]) => [request, uri]), [[4, "wamp.error.canceled"]]);
  await settled();
  assert.deepEqual([signal.aborted, closed], [true, 4]);
  assert.throws(() => radiod.currentCall(), /no call/);
});

test("a lost connection aborts the calls that are served", async () => {
  const { radio, wire } = await opened();
  let signal;
  const found = await serving(wire, radio.register("f", () => new Promise(() => (signal = radiod.currentCall().signal))));
  wire.say([68, 1, found.f.id, {}]);
  wire.lose();
  assert.equal(signal.aborted, true);
});

const KINDS = { parameters: [{ name: "a", kind: "positional_only" }, { name: "b", kind: "positional_or_keyword", default: 1 }, { name: "c", kind: "keyword_only" }] };
const WRONG = [[[], { c: 1 }, "a is missing"], [[1], {}, "c is missing"], [[1, 2], { b: 3, c: 1 }, "b is given twice"], [[1, 2, 3], { c: 1 }, "1 arguments too many"], [[1], { c: 1, d: 2 }, "there is no d"], [[], { a: 1, c: 1 }, "a is missing"]];
for (const [args, kwargs, why] of WRONG) {
  test(`a proxy that is called wrongly (${why}) sends nothing`, async () => {
    const { radio, wire } = await opened();
    const called = rejected(radio.proxy("calc").add.with({ kwargs })(...args));
    wire.answer({ "radiod.rpc.describe": { signature: KINDS } });
    const error = await called;
    assert.ok(error instanceof TypeError);
    assert.equal(error.message, `rpc.calc.add: ${why}`);
    assert.deepEqual(wire.take(48), []);
  });
}

test("a proxy asks once how a function is called, and calls what has no signature as it is", async () => {
  const { radio, wire } = await opened();
  const calc = radio.proxy("calc");
  assert.equal(calc.then, undefined);
  const first = calc.sub.add.with({ kwargs: { c: 3 } })(1, 2);
  wire.answer({ "radiod.rpc.describe": { signature: KINDS } });
  await settled();
  assert.deepEqual(wire.sent.at(-1).slice(3), ["rpc.calc.sub.add", [1, 2], { c: 3 }]);
  wire.answer({ "rpc.calc.sub.add": 6 });
  assert.equal(await first, 6);
  const second = calc.sub.add.withTimeout(50).with({ kwargs: { c: 0 } })(1);
  await settled();
  assert.deepEqual(wire.sent.at(-1).slice(2), [{ timeout: 50 }, "rpc.calc.sub.add", [1], { c: 0 }]);
  wire.answer({ "rpc.calc.sub.add": 1 });
  assert.equal(await second, 1);
  const foreign = calc.foreign(1, 2, 3);
  wire.answer({ "radiod.rpc.describe": new Error("wamp.error.not_authorized") });
  await settled();
  wire.answer({ "rpc.calc.foreign": 7 });
  assert.equal(await foreign, 7);
});

test("iterating takes results as they come; leaving the loop cancels", async () => {
  const { radio, wire } = await opened();
  const iterated = radio.proxy("calc").count.iter(3);
  const first = iterated.next();
  wire.answer({ "radiod.rpc.describe": {} });
  await settled();
  const [, request] = wire.sent.at(-1);
  wire.say([50, request, { progress: true }, [0]], [50, request, { progress: true }, [1]]);
  assert.deepEqual(await first, { value: 0, done: false });
  assert.deepEqual(await iterated.next(), { value: 1, done: false });
  await iterated.return();
  assert.deepEqual(wire.take(49), [[49, request, { mode: "killnowait" }]]);
});

test("results that nobody takes are not kept for ever", async () => {
  const { radio, wire } = await opened();
  const iterated = radio.proxy("calc").count.iter();
  const next = iterated.next();
  wire.answer({ "radiod.rpc.describe": {} });
  await settled();
  const [, request] = wire.sent.at(-1);
  wire.say(...Array.from({ length: 10_001 }, (_, n) => [50, request, { progress: true }, [n]]));
  assert.equal((await next).value, 0);
  assert.equal(wire.take(49).length, 1);
  const error = await rejected((async () => { for await (const _ of iterated); })());
  assert.match(error.message, /too many/);
});

test("iterating ends with the call, or with its error", async () => {
  const { radio, wire } = await opened();
  const run = async (...last) => {
    const iterated = radio.proxy("calc").count.iter();
    const next = iterated.next();
    wire.answer({ "radiod.rpc.describe": {} });
    await settled();
    const [, request] = wire.sent.at(-1);
    wire.say([last[0], ...(last[0] === 8 ? [48] : []), request, ...last.slice(1)]);
    return next;
  };
  assert.deepEqual(await run(50, {}, ["ignored"]), { value: undefined, done: true });
  assert.equal((await rejected(run(8, {}, "my.error"))).uri, "my.error");
});

// Whether the other end still lives.

test("a line that was quiet for 20 s is asked, and made anew at once when nothing comes", async () => {
  const { wire, wires, radio } = await opened();
  for (let n = 0; n < 4; n++) await after(5000);
  assert.equal(wire.take(48)[0][3], "radiod.echo");
  await after(5000);
  await after(5000);
  assert.equal(wires.length, 1);
  await after(5000);
  assert.deepEqual([wires.length, radio.state], [2, "connecting"]);
});

test("one that answers is left alone", async () => {
  const { wire, wires } = await opened();
  for (let n = 0; n < 60; n++) {
    await after(5000);
    wire.answer({});
  }
  assert.equal(wires.length, 1);
});

test("whoever slept asks at once, and gives what waits to be read a turn", async () => {
  const { wire, wires, radio } = await opened();
  mock.timers.setTime(NOW + 60_000); // The clock goes on, timers do not.
  await after(5000);
  assert.equal(wire.take(48)[0][3], "radiod.echo");
  await after(3000);
  assert.deepEqual([wires.length, radio.state], [2, "connecting"]);
});

test("a check asks once, and anything that comes is an answer", async () => {
  const { wire, wires, radio } = await opened();
  radio.check(1000);
  radio.check(1000);
  assert.equal(wire.take(48).length, 1);
  wire.say([36, 99, 1, {}]);
  await after(1000);
  assert.equal(wires.length, 1);
  radio.check();
  await after(3000);
  assert.equal(wires.length, 2);
});
