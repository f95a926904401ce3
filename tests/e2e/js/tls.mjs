// What Node's own clients, and ws, get over TLS; prints one JSON line.
//
//     node tls.mjs PORT          (NODE_EXTRA_CA_CERTS names the certificate authority)

import https from "node:https";
import tls from "node:tls";
import WebSocket from "ws";

const port = process.argv[2];
const url = `https://localhost:${port}/healthz`;

const get = () =>
  new Promise((resolve, reject) => {
    const request = https.get(url, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode));
    });
    request.on("error", reject);
  });

const hear = () =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://localhost:${port}/ws`, "wamp.2.json");
    socket.on("open", () => socket.send('[1,"radio",{"roles":{"subscriber":{}}}]'));
    socket.on("message", (data) => {
      socket.close();
      resolve(JSON.parse(data)[0]);
    });
    socket.on("error", reject);
  });

const negotiated = (offered) =>
  new Promise((resolve, reject) => {
    const socket = tls.connect(
      { port, host: "localhost", servername: "localhost", ALPNProtocols: offered },
      () => {
        resolve(socket.alpnProtocol);
        socket.destroy();
      },
    );
    socket.on("error", reject);
  });

console.log(
  JSON.stringify({
    fetch: (await fetch(url)).status,
    https: await get(),
    ws: await hear(),
    "h2 and http": await negotiated(["h2", "http/1.1"]),
    "h2 alone": await negotiated(["h2"]),
  }),
);
