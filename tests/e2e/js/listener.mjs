// A stock JavaScript client that listens until it hears "end", and prints what became of it.
//
//     node listener.mjs autobahn|wampy json|msgpack|cbor PORT TOPIC
//
// Lines: ready; at last {heard, closed} as JSON. Whatever it throws is printed, and ends it.

import { clients } from "./clients.mjs";

const [client, serializer, port, topic] = process.argv.slice(2);

function finish(heard, closed) {
  console.log(JSON.stringify({ heard, closed }));
  process.exit(0);
}
process.on("uncaughtException", (error) => finish(null, String(error)));
process.on("unhandledRejection", (error) => finish(null, String(error)));

const member = await clients[client].join(`ws://127.0.0.1:${port}/ws`, "radio", serializer);
let heard = 0;
member.closed.then((reason) => finish(heard, reason));
const events = await member.listen(topic);
events.push = ({ args }) => {
  if (args.length === 1 && args[0] === "end") finish(heard, null);
  heard += 1;
};
console.log("ready");
