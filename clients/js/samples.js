/**
 * Samples of a town turned back into dense ones: docs/simulator.md has the formats.
 *
 *     const decoder = new Decoder(map);
 *     for await (const { data } of channel.listen()) draw(await decoder.decode(data));
 */
import { decodeArray } from "./arrays.js";

/** Date that simulated time 0 stands for. */
const START = Date.UTC(2026, 0, 1, 6);

/** Format: how its levels are written, and the one that stands for a full street. @type {Map<string, [string, number]>} */
const LEVELS = new Map([["q8", ["|u1", 255]], ["q16", ["<u2", 65535]], ["delta", ["|u1", 255]]]);

/** @param {string} what @returns {never} */
const wrong = (what) => { throw new Error(`no sample of this map: ${what}`); };

/** @typedef {{ name: string, time: number, timestamp: string, step?: number, n: ArrayLike<number>, k: ArrayLike<number>, green?: ArrayLike<number> }} Dense */

/** Makes dense samples of one town's samples, whatever their format. */
export class Decoder {
  #name;
  #ids;
  #jam;
  #length;
  /** @type {{ id: any, levels: Uint8Array } | null} */
  #key = null;
  #turn = Promise.resolve();

  /** @param {any} map the whole one; for another one make another decoder */
  constructor(map) {
    if (!Array.isArray(map?.streets)) throw new Error("no map of a town");
    /** @type {any[]} */
    const streets = map.streets;
    this.#name = map.name;
    this.#ids = streets.map((street) => street.id);
    this.#jam = Float64Array.from(streets, (street) => street.k_jam);
    this.#length = Float64Array.from(streets, (street) => street.length_m);
  }

  /**
   * The sample with `n`, `k` and `green` in the order of the map's streets; null: it needs a key frame that did not come.
   *
   * Densities are within k_jam / 510 of the sender's. Dense samples come back as they are; legacy ones tell nothing of
   * lights. Results come in the order of calls. Rejects with an Error: it is no sample of this map.
   *
   * @param {any} sample @returns {Promise<Dense | null>}
   */
  decode(sample) {
    // One behind the other: a key frame must be there before what builds on it.
    const result = this.#turn.then(() => this.#decode(sample));
    this.#turn = result.then(() => {}, () => {});
    return result;
  }

  /** @param {any} sample @returns {Promise<Dense | null>} */
  async #decode(sample) {
    if (typeof sample !== "object" || sample === null) wrong("not an object");
    if (sample.state) return this.#legacy(sample);
    const { format = "dense", key, ...kept } = sample, size = this.#ids.length;
    if (format === "dense") {
      for (const name of ["n", "k", "green"]) if (sample[name]?.length !== size) wrong(`${name}: not one for each of ${size} streets`);
      return sample;
    }
    const [dtype, most] = LEVELS.get(format) ?? wrong(`format ${String(format).slice(0, 40)}`);
    let levels = await elements("k", sample.k, dtype, size);
    const bits = await elements("green", sample.green, "|u1", Math.ceil(size / 8));
    if (format === "delta") {
      const base = this.#key?.id === key ? this.#key?.levels : null;
      if (!base) return null;
      // Differences to the key frame's levels, modulo 256.
      levels = levels.map((/** @type {number} */ level, /** @type {number} */ at) => level + base[at]);
    } else if (key !== undefined && most === 255) {
      this.#key = { id: key, levels };
    }
    const k = this.#jam.map((jam, at) => levels[at] * jam / most);
    return {
      ...kept, k, n: k.map((density, at) => density * this.#length[at]),
      green: Uint8Array.from(k, (_, at) => bits[at >> 3] >> (at & 7) & 1),
    };
  }

  /** @param {any} sample @returns {Dense} */
  #legacy({ state, timestamp }) {
    const n = Float64Array.from(this.#ids, (id) => state[id]), time = (Date.parse(timestamp) - START) / 1000;
    if (n.some(Number.isNaN) || Number.isNaN(time)) wrong("a street or the time is missing");
    return { name: this.#name, time, timestamp, n, k: n.map((count, at) => count / this.#length[at]) };
  }
}

/** @param {string} name @param {any} value @param {string} dtype @param {number} size @returns {Promise<any>} */
async function elements(name, value, dtype, size) {
  if (value?.dtype !== dtype || value.shape?.length !== 1 || value.shape[0] !== size) wrong(`${name}: not ${size} of ${dtype}`);
  return (await decodeArray(value)).values;
}
