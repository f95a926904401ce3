// A stock JavaScript client that publishes what programs in JavaScript publish all day, and "end".
//
//     node publisher.mjs autobahn|wampy json|msgpack|cbor PORT TOPIC

import { clients } from "./clients.mjs";

const [client, serializer, port, topic] = process.argv.slice(2);
const member = await clients[client].join(`ws://127.0.0.1:${port}/ws`, "radio", serializer);
// Autobahn|JS cannot write undefined in MessagePack, but leaves such members out.
const nothing = client === "autobahn" && serializer === "msgpack" ? null : undefined;
const sample = { speed: 1.5, name: undefined, list: [nothing, null, 1] };
const events = {
  undefined: [nothing],
  sample: [sample],
  date: [new Date(Date.UTC(2026, 10, 27, 1, 2, 3))],
  bytes: [new Uint8Array([1, 2, 3])],
  large: [2 ** 53, -(2 ** 40), 1e300],
};
const results = {};

// Serializers may throw at once.
async function attempt(args, where = topic) {
  try {
    await member.publish(where, args);
    return "published";
  } catch (error) {
    return error.uri ?? String(error);
  }
}

for (const [name, args] of Object.entries(events)) {
  results[name] = await attempt([name, ...args]);
}
// Half a character, as a text that was cut in the middle of one.
const half = "\u{1f600}".slice(0, 1);
results.half = await attempt(["half", half]);
if (serializer === "json") {
  results["half a name"] = await attempt(["half a name"], `${topic}.${half}`);
}
await member.publish(topic, ["end"]);
console.log(JSON.stringify(results));
await member.leave();
