// Drives the JavaScript client as clients/contract.toml has it. In Node: lines on stdin; in a page: `driver.answer(request)`.

import { decodeArray, isArray } from "./arrays.js";
import { CallError, CallTimeout, Disconnected, LoginRefused, Radio } from "./radiod.js";

function kindOf(error) {
  if (error instanceof CallTimeout) return "timeout";
  if (error instanceof Disconnected) return "disconnected";
  return error instanceof CallError || error instanceof LoginRefused ? "refused" : "invalid";
}

function nested(shape, values) {
  if (shape.length < 2) return [...values];
  const size = values.length / shape[0];
  return Array.from({ length: shape[0] }, (_, row) => nested(shape.slice(1), values.slice(row * size, (row + 1) * size)));
}

async function plain({ filling, ...data }) {
  for (const [name, value] of Object.entries(data)) {
    if (!isArray(value)) continue;
    const { shape, values } = await decodeArray(value);
    data[name] = nested(shape, values);
  }
  return data;
}

export class Driver {
  #radio;
  #listenings = new Map();
  #options;

  constructor(options = {}) {
    this.#options = options;
  }

  async connect({ url, key }) {
    await this.#radio?.close();
    const login = key ? { authid: key.id, ticket: key.secret } : {};
    this.#radio = new Radio(url, { ...login, ...this.#options });
    await this.#radio.connect();
  }

  async open({ channel }) {
    const listening = this.#radio.channel(channel).listen({ queue: 10_000 });
    await listening.ready;
    this.#listenings.set(channel, listening);
  }

  async take({ channel, until, seconds, live }) {
    if (live) await this.open({ channel });
    const samples = [];
    const end = Date.now() + seconds * 1000;
    while (samples.at(-1)?.[0].n !== until) {
      const { data, position, gap } = await this.#listenings.get(channel).get(Math.max(1, end - Date.now()));
      samples.push([await plain(data), position, gap?.lost ?? null, gap?.reason ?? null]);
    }
    return samples;
  }

  async publish({ channel, data }) {
    await this.#radio.channel(channel).publish(data);
  }

  call({ procedure, args, seconds }) {
    return this.#radio.call(procedure, args, { timeout: seconds * 1000 });
  }

  async close() {
    await this.#radio.close();
  }

  async answer({ do: what, ...request }) {
    try {
      return { ok: (await this[what](request)) ?? null };
    } catch (error) {
      return { error: kindOf(error), text: String(error.message) };
    }
  }
}
