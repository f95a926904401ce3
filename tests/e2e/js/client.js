// A stock Autobahn|JS client that does a bit of everything and prints what it saw as one JSON line.
//
//     node client.js json|msgpack|cbor websocket|longpoll PORT [AUTHID TICKET]
//
// Autobahn|JS's long-poll speaks JSON whatever it is given.

"use strict";

require("./xhr.js");
const autobahn = require("autobahn");

const [serializer, transport, port, authid, ticket] = process.argv.slice(2);
const SERIALIZERS = {
  json: () => new autobahn.serializer.JSONSerializer(),
  msgpack: () => new autobahn.serializer.MsgpackSerializer(),
  cbor: () => new autobahn.serializer.CBORSerializer(),
};
// Over TLS where a certificate authority is named.
const [s, host] = process.env.NODE_EXTRA_CA_CERTS ? ["s", "localhost"] : ["", "127.0.0.1"];
const URLS = {
  websocket: `ws${s}://${host}:${port}/ws`,
  longpoll: `http${s}://${host}:${port}/lp`,
};
const PAYLOAD = [1, -(2 ** 40), 2.5, "Grüße 🚦", null, true, [1, [2, { a: [] }]]];
const seen = { client: serializer };

const connection = new autobahn.Connection({
  transports: [{ type: transport, url: URLS[transport] }],
  realm: "radio",
  serializers: [SERIALIZERS[serializer]()],
  max_retries: 0,
  ...(authid && { authmethods: ["ticket"], authid, onchallenge: () => ticket }),
});

const errorOf = (promise) =>
  promise.then(
    () => "no error",
    (error) => [error.error, error.args, error.kwargs],
  );
const acknowledged = { acknowledge: true, exclude_me: false };

async function exercise(session) {
  const topic = `test.js.${serializer}`;
  const received = [];
  let complete;
  const three = new Promise((resolve) => (complete = resolve));
  const subscription = await session.subscribe(topic, (args, kwargs) => {
    received.push([args, kwargs]);
    if (received.length === 3) complete();
  });
  const publication = await session.publish(topic, PAYLOAD, { key: "value" }, acknowledged);
  seen.publication = Number.isSafeInteger(publication.id);
  for (const number of [2, 3]) await session.publish(topic, [number], {}, acknowledged);
  await three;
  seen.payload = JSON.stringify(received[0]) === JSON.stringify([PAYLOAD, { key: "value" }]);
  seen.order = received.slice(1).map(([args]) => args[0]);
  await session.unsubscribe(subscription);

  await session.publish(`${topic}.map`, ["kept"], {}, { acknowledge: true, retain: true, exclude_me: false });
  seen.retained = await new Promise((resolve) =>
    session.subscribe(`${topic}.map`, ([value]) => resolve(value), { get_retained: true }),
  );

  const registration = await session.register(`${topic}.add`, ([a, b], { c = 0 } = {}) => a + b + c);
  await session.register(`${topic}.fail`, () => {
    throw new autobahn.Error("test.error", ["reason"], { code: 7 });
  });
  seen.call = [
    await session.call(`${topic}.add`, [2, 3]),
    await session.call(`${topic}.add`, [2, 3], { c: 4 }),
  ];
  seen["application error"] = await errorOf(session.call(`${topic}.fail`));
  seen["registered twice"] = (await errorOf(session.register(`${topic}.fail`, () => 0)))[0];
  await session.unregister(registration);
  seen.unregistered = (await errorOf(session.call(`${topic}.add`, [1, 2])))[0];
  seen.echo = (await session.call("radiod.echo", [42])) === 42;
  seen["not authorized"] = [
    (await errorOf(session.publish("forbidden", [], {}, { acknowledge: true })))[0],
    (await errorOf(session.subscribe("forbidden", () => 0)))[0],
    (await errorOf(session.register("forbidden", () => 0)))[0],
    (await errorOf(session.call("forbidden")))[0],
  ];
  seen["invalid uri"] = (await errorOf(session.subscribe("not..valid", () => 0)))[0];

  const ended = new Promise((resolve) =>
    session.subscribe("radiod.channel.on_delete", ([event]) => event.name === `${topic}.temporary` && resolve(event)),
  );
  const created = await session.call("radiod.channel.create", [`${topic}.temporary`], { lifetime: 0.25 });
  seen.created = Object.keys(created).sort();
  seen.ended = (await ended).reason;
  seen.closed = (await errorOf(session.publish(`${topic}.temporary`, [], {}, { acknowledge: true })))[0];
}

connection.onopen = async (session, details) => {
  seen.joined = [details.authid, details.authrole, details.authmethod];
  seen.transport = details.transport.type;
  try {
    await exercise(session);
  } catch (error) {
    seen.failed = String(error && (error.stack || error.error));
  }
  connection.close();
};
connection.onclose = (reason, details) => {
  seen.left = details.reason || reason;
  console.log(JSON.stringify(seen));
  process.exit(0);
};
connection.open();
