// Strict decoders of JavaScript: a line "<serializer> <hex>" comes, a line "ok" or "no <why>" goes.
import { createInterface } from "node:readline";
import { decode as msgpack } from "@msgpack/msgpack";
import { Decoder } from "cbor-x";

const cbor = new Decoder({ mapsAsObjects: true, useRecords: false });
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const decoders = {
  json: (data) => JSON.parse(utf8.decode(data)),
  msgpack: (data) => msgpack(data),
  cbor: (data) => cbor.decode(data),
};

// What a decoder took for text but is none: U+FFFD stands where a strict one complains.
for await (const line of createInterface({ input: process.stdin })) {
  const [serializer, hex] = line.split(" ");
  let answer = "ok";
  try {
    const value = decoders[serializer](Buffer.from(hex, "hex"));
    if (!Array.isArray(value)) answer = "no list";
  } catch (error) {
    answer = `no ${error.message}`.replaceAll("\n", " ");
  }
  process.stdout.write(`${answer}\n`);
}
