// A stock client that listens to sample_net, answers calls to a procedure, and comes back by itself.
//
//     node comeback.js KIND PORT PROCEDURE
//
// KIND: autobahn-json, autobahn-msgpack, autobahn-cbor, autobahn-longpoll, wampy-json, wampy-msgpack,
// wampy-cbor, eventsource. Prints the number in each sample that it hears.

"use strict";

require("./xhr.js");
// Node's own, up to undici 6, does not say "close" when it cannot connect, so that nobody tries again.
global.WebSocket = require("websocket").w3cwebsocket;

const [kind, port, procedure] = process.argv.slice(2);
const [client, way] = kind.split("-");
const SAMPLES = "sample_net";
const hear = (sample) => console.log(sample.n);
const answer = () => "here";

function autobahn() {
  const { Connection, serializer } = require("autobahn");
  const serializers = {
    json: serializer.JSONSerializer,
    msgpack: serializer.MsgpackSerializer,
    cbor: serializer.CBORSerializer,
    longpoll: serializer.JSONSerializer,
  };
  const transport =
    way === "longpoll"
      ? { type: "longpoll", url: `http://127.0.0.1:${port}/lp` }
      : { type: "websocket", url: `ws://127.0.0.1:${port}/ws` };
  const connection = new Connection({
    transports: [transport],
    realm: "radio",
    serializers: [new serializers[way]()],
    max_retries: -1,
  });
  connection.onopen = (session) => {
    session.subscribe(SAMPLES, ([sample]) => hear(sample));
    session.register(procedure, answer);
  };
  connection.open();
}

async function wampy() {
  const { Wampy } = require("wampy");
  const { w3cwebsocket } = require("websocket");
  const name = { json: "JsonSerializer", msgpack: "MsgpackSerializer", cbor: "CborSerializer" }[way];
  const { [name]: Serializer } = require(`wampy/${name}.js`);
  const member = new Wampy(`ws://127.0.0.1:${port}/ws`, {
    realm: "radio",
    ws: w3cwebsocket,
    serializer: new Serializer(),
  });
  await member.connect();
  await member.subscribe(SAMPLES, ({ argsList: [sample] }) => hear(sample));
  await member.register(procedure, () => ({ argsList: [answer()] }));
}

function eventsource() {
  const { EventSource } = require("eventsource");
  new EventSource(`http://127.0.0.1:${port}/listen/${SAMPLES}`).onmessage = ({ data }) => hear(JSON.parse(data));
}

({ autobahn, wampy, eventsource })[client]();
