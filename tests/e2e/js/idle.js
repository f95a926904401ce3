// A stock Autobahn|JS client over RawSocket that says nothing but pings until it hears an event.
//
//     node idle.js PORT          prints READY, and then HEARD, or LEFT

"use strict";

const autobahn = require("autobahn");

const connection = new autobahn.Connection({
  transports: [
    {
      type: "rawsocket",
      host: "127.0.0.1",
      port: Number(process.argv[2]),
      protocol_options: { autoping: 300, ping_timeout: 200, fail_on_ping_timeout: false },
    },
  ],
  realm: "radio",
  max_retries: 0,
});

connection.onopen = async (session) => {
  await session.subscribe("idle", () => {
    console.log("HEARD");
    connection.close();
  });
  console.log("READY");
};
connection.onclose = () => {
  console.log("LEFT");
  process.exit(0);
};
connection.open();
