// Listens to `bench` as told, and says what its events cost: node listener.mjs KIND URL COUNT MODULES
//
// KIND: radiod (callback), radiod-loop (for await), radiod-ws (callback, by ws), autobahn, ws (no library but JSON.parse).
// First a line "ready"; after COUNT events microseconds of CPU for each, from the first to the last.
import { createRequire } from "node:module";

const [kind, url, number, modules] = process.argv.slice(2);
const require = createRequire(`${modules}/x.js`);
const count = Number(number);
const where = `${url.replace("http", "ws")}/ws`;
let came = 0;
let begun;

function event() {
  if (came++ === 0) begun = process.cpuUsage();
  if (came < count) return;
  const { user, system } = process.cpuUsage(begun);
  console.log((user + system) / (count - 1));
  process.exit(0);
}

const ready = () => console.log("ready");

const KINDS = {
  async radiod(options = {}) {
    const { Radio } = await import("../clients/js/radiod.js");
    const radio = await new Radio(url, options).connect();
    await radio.channel("bench").subscribe(({ data, gap }) => data && !gap && event(), { size: 100_000 });
    ready();
  },
  "radiod-ws": () => KINDS.radiod({ WebSocket: require("ws").WebSocket }),
  async "radiod-loop"() {
    const { Radio } = await import("../clients/js/radiod.js");
    const radio = await new Radio(url).connect();
    const listening = radio.channel("bench").listen({ size: 100_000, queue: 100_000 });
    await listening.ready;
    ready();
    for await (const { data, gap } of listening) if (data && !gap) event();
  },
  autobahn() {
    const autobahn = require("autobahn");
    const connection = new autobahn.Connection({ transports: [{ type: "websocket", url: where }], realm: "radio" });
    connection.onopen = async (session) => {
      await session.call("radiod.channel.tune", ["bench"], { size: 100_000 });
      await session.subscribe("bench", ([data]) => data && event());
      ready();
    };
    connection.open();
  },
  ws() {
    const socket = new (require("ws").WebSocket)(where, "wamp.2.json");
    const listeners = new Map();
    const send = (message) => socket.send(JSON.stringify(message));
    socket.on("open", () => send([1, "radio", { roles: { subscriber: {} } }]));
    socket.on("message", (data) => {
      const message = JSON.parse(data);
      if (message[0] === 36) listeners.get(message[1])?.(message[4]);
      else if (message[0] === 2) send([32, 1, { _radiod_buffer: { size: 100_000 } }, "bench"]);
      else if (message[0] === 33) {
        listeners.set(message[2], ([data]) => data && event());
        ready();
      }
    });
  },
};
await KINDS[kind]();
