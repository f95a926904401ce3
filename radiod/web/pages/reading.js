/**
 * What a channel carries, as samples of its town: at once where the numbers are plain, and else through decoders
 * that are loaded when the first sample needs them. In order in any case.
 */

import { isDictionary } from "./data.js";
import { readSample } from "./town.js";

/** Samples that may wait for their decoder. */
const MOST_WAITING = 50;

/** @typedef {import("./town.js").Sample} Sample @typedef {import("./town.js").Vehicles} Vehicles */

/** Reads the samples of one town. */
export class Reader {
  #town;
  map;
  /** @type {Promise<any> | null} */ #decoder = null;
  #waiting = 0;
  #last = Promise.resolve();

  /** @param {import("./town.js").Town} town @param {unknown} map that it was read from */
  constructor(town, map) {
    this.#town = town;
    this.map = map;
  }

  /**
   * @param {unknown} value as it came
   * @param {(sample: Sample | null | undefined) => void} then null: it is none of this town's; undefined: it says
   *   nothing by itself, as when what it is the difference to is missing
   */
  read(value, then) {
    if (this.#waiting === 0 && isPlain(value) && !value.vehicles && !value.v?._nd) return then(readSample(this.#town, value));
    if (this.#waiting >= MOST_WAITING) return then(undefined);
    this.#waiting += 1;
    this.#last = this.#last.then(async () => {
      const sample = await this.#decoded(value).catch(() => null);
      this.#waiting -= 1;
      then(sample);
    });
  }

  /** @param {any} value @returns {Promise<Sample | null | undefined>} */
  async #decoded(value) {
    if (!isDictionary(value)) return null;
    let plain = value;
    if (!isPlain(value)) {
      const address = "./samples.js";
      this.#decoder ??= import(address).then(({ Decoder }) => new Decoder(this.map));
      const decoded = await (await this.#decoder).decode(value);
      if (decoded === null) return undefined;
      plain = { ...value, ...decoded };
    }
    const sample = readSample(this.#town, plain);
    if (sample && value.vehicles) sample.cars = await vehicles(value.vehicles, this.#town.streets.length).catch(() => null);
    return sample;
  }
}

/** @param {unknown} value @returns {value is Record<string, any>} */
function isPlain(value) {
  return isDictionary(value) && value.state === undefined && (Array.isArray(value.n) || Array.isArray(value.k) || value.format === undefined);
}

/**
 * @param {any} packed as `simulator.agents.packing` makes it: street by street
 * @param {number} streets
 * @returns {Promise<Vehicles>}
 */
async function vehicles({ count, at, id }, streets) {
  const { decodeArray } = await import("./arrays.js");
  const [counts, shares, ids] = await Promise.all([count, at, id].map((each) => decodeArray(each).then(({ values }) => values)));
  if (counts.length !== streets || shares.length !== ids.length) throw new Error("not these streets");
  const street = new Uint32Array(ids.length);
  let end = 0;
  for (let place = 0; place < streets; place++) street.fill(place, end, (end += counts[place]));
  if (end !== ids.length) throw new Error("not as many as are counted");
  return { id: ids, street, at: Float32Array.from(shares, (share) => share / 65535) };
}

/** About how many characters of JSON something took. @param {unknown} value @returns {number} */
export function sizeOf(value) {
  let packed = 0;
  const text = JSON.stringify(value, (_, part) => {
    if (!ArrayBuffer.isView(part)) return part;
    packed += part.byteLength * 1.4; // It came as base64.
    return 0;
  });
  return text.length + packed;
}
