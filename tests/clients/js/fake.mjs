// A server that does as it is told, in the place of a WebSocket; all turns of the event loop are the test's.
import { Radio } from "../../../clients/js/radiod.js";

/** What was sent and not yet looked at, and what to answer with. */
export class Wire {
  sent = [];
  binaryType = "";
  bufferedAmount = 0;
  isClosed = false;
  static made = [];

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    this.constructor.made.push(this);
  }

  send(data) {
    for (const text of data.split("\x1e").filter(Boolean)) this.sent.push(JSON.parse(text));
  }

  close() {
    this.isClosed = true;
  }

  /** It is there. */
  open(protocol = this.protocols[0]) {
    this.protocol = protocol;
    this.onopen({});
  }

  /** One batch. */
  say(...messages) {
    this.raw(messages.map((message) => `${JSON.stringify(message)}\x1e`).join(""));
  }

  raw(data) {
    this.onmessage({ data });
  }

  welcome(session = 7, details = {}) {
    this.open();
    this.say([2, session, details]);
  }

  /** It breaks. */
  lose(reason = "") {
    this.onclose({ code: 1006, reason });
  }

  /** Takes what was sent of these kinds, in order. */
  take(...kinds) {
    const found = this.sent.filter(([kind]) => kinds.includes(kind));
    this.sent = this.sent.filter(([kind]) => !kinds.includes(kind));
    return found;
  }

  /** Answers the router's procedures that were asked so far: name -> answer, or an Error whose message is the URI. */
  answer(answers) {
    for (const [, request, , procedure] of this.take(48)) {
      const answer = answers[procedure];
      if (answer instanceof Error) this.say([8, 48, request, {}, answer.message]);
      else this.say([50, request, {}, [answer ?? null]]);
    }
  }
}

/** A Radio and the kind of its wires; `random` makes every pause as long as it can be. */
export function made(options = {}) {
  class Mine extends Wire {
    static made = [];
  }
  const states = [];
  const radio = new Radio("http://host", { WebSocket: Mine, random: () => 1, onState: (state) => states.push(state), ...options });
  radio.addEventListener("error", (event) => event.preventDefault());
  return { radio, wires: Mine.made, states, last: () => Mine.made.at(-1) };
}

/** One that is open. */
export async function opened(options) {
  const all = made(options);
  const connected = all.radio.connect();
  all.last().welcome();
  await connected;
  return { ...all, wire: all.last() };
}

/** Until nothing waits to be done. */
export const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await null;
};

/** A listening that has begun behind `position`; the server has `history`, or none. */
export async function listening(wire, listen, { position = "e:0", history = true, id = 5 } = {}) {
  const made = listen();
  wire.answer({ "radiod.channel.get": { position } });
  const [[, request, options, name]] = wire.take(32);
  wire.say([33, request, id]);
  wire.answer({ "radiod.channel.history": history ? { events: [] } : new Error("wamp.error.history_unavailable") });
  await settled();
  return { made, options, name };
}

/** An event of the subscription 5. */
export const event = (seq, data = seq, details = {}) => [36, 5, 1, { _epoch: "e", _seq: seq, ...details }, [data]];
