// MessagePack beside a reference, and what comes from anybody.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, msgpack } from "../../../clients/js/msgpack.js";
import * as reference from "../../e2e/js/node_modules/@msgpack/msgpack/dist.esm/index.mjs";

const NUMBERS = [0, 1, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, 1 - 2 ** 53, 1.5, NaN, Infinity, -Infinity];
const TEXTS = ["", "a", "é".repeat(11), "é".repeat(40), "x".repeat(31), "x".repeat(32), "x".repeat(255), "x".repeat(256), "x".repeat(70_000)];
const LISTS = [[], Array(15).fill(1), Array(16).fill(1), Array(70_000).fill(2)];
const MAPS = [{}, { a: { b: [1, { c: 2 }] } }, Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`k${n}`, n])), Object.fromEntries(Array.from({ length: 70_000 }, (_, n) => [`k${n}`, n]))];
const BYTES = [0, 255, 256, 70_000].map((length) => new Uint8Array(length).fill(7));
const VALUES = [null, true, false, ...NUMBERS, ...TEXTS, ...LISTS, ...MAPS, ...BYTES];

test("what is written is read, here and by others, and the other way round", () => {
  for (const value of VALUES) {
    assert.deepEqual(decode(encode(value)), value);
    assert.deepEqual(reference.decode(encode(value)), value);
    assert.deepEqual(decode(reference.encode(value)), value);
  }
});

test("integers of 64 bits, floats of 32, extension types, dates, views", () => {
  for (const value of [2n ** 63n, -(2n ** 63n), 2n ** 64n - 1n]) assert.deepEqual(decode(encode(value)), value);
  assert.equal(decode(encode(5n)), 5);
  assert.ok(Object.is(decode(encode(-0)), -0));
  assert.equal(decode(new Uint8Array([0xca, 0x3f, 0xc0, 0, 0])), 1.5);
  for (let size = 0; size < 5; size++) assert.equal(decode(new Uint8Array([0xd4 + size, 1, ...Array(1 << size).fill(3)])).length, 1 << size);
  assert.deepEqual(decode(new Uint8Array([0xc7, 2, 9, 1, 2])), new Uint8Array([1, 2]));
  assert.equal(decode(encode(new Date(0))), "1970-01-01T00:00:00.000Z");
  assert.deepEqual(decode(encode(new Uint16Array([1]).buffer)), new Uint8Array([1, 0]));
  assert.deepEqual(decode(encode({ a: undefined })), {});
});

test("a key of its own that is called __proto__ stays one", () => {
  const value = decode(reference.encode(JSON.parse('{"__proto__": {"a": 1}}')));
  assert.deepEqual([Object.keys(value), value.a], [["__proto__"], undefined]);
});

const circular = [];
circular.push(circular);
for (const [what, value] of Object.entries({ circular, function: () => 1, symbol: Symbol("s"), big: 2n ** 64n, half: "\ud800" })) {
  test(`${what} cannot be said`, () => assert.throws(() => encode(value), /cannot be sent|to be sent/));
}

test("what is cut short anywhere, or is none, is an error and takes no memory", () => {
  for (const value of [...NUMBERS, "é".repeat(40), ["a", [1]], { a: { b: 1 } }, new Uint8Array(300)]) {
    const bytes = encode(value);
    for (let length = 0; length < Math.min(bytes.length, 100); length++) assert.throws(() => decode(bytes.subarray(0, length)), RangeError);
    assert.throws(() => decode(new Uint8Array([...bytes, 0])), RangeError);
  }
  const huge = [0xff, 0xff, 0xff, 0xff];
  for (const code of [0xdb, 0xdd, 0xdf, 0xc6, 0xc9]) assert.throws(() => decode(new Uint8Array([code, ...huge])), RangeError);
  assert.throws(() => decode(new Uint8Array([0xc1])), RangeError);
  assert.throws(() => decode(new Uint8Array(100_000).fill(0x91)), RangeError);
  assert.throws(() => decode(new Uint8Array([0xa1, 0xff])), TypeError);
});

test("batches", () => {
  const messages = [[1, "a"], [2, { b: 3 }]];
  const parts = messages.map((message) => msgpack.encode(message, true));
  const whole = new Uint8Array([...parts[0], ...parts[1]]);
  assert.deepEqual(msgpack.decode(whole.buffer, true), messages);
  assert.deepEqual(msgpack.decode(msgpack.encode(messages[0], false).buffer, false), [messages[0]]);
  for (let length = 1; length < whole.length; length++) {
    if (length !== parts[0].length) assert.throws(() => msgpack.decode(whole.slice(0, length).buffer, true), RangeError);
  }
  assert.throws(() => msgpack.decode("text", true), TypeError);
});
