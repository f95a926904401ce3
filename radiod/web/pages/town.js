/**
 * A town as its map event describes it, and a sample of what moves in it.
 *
 * Pure: no DOM. Everything from the network is checked here, once; past `readTown` it can be trusted.
 */

import { isDictionary } from "./data.js";

const MOST_STREETS = 100_000;

/**
 * @typedef {{id: string, length: number, jam: number, twin: boolean, points: number[]}} Street metres; jam:
 *   vehicles per metre; points: x, y, x, y, ...; twin: another street leads back, so this one keeps to its right
 * @typedef {{name: string, jam: number, mixed: boolean, streets: Street[],
 *   box: [number, number, number, number]}} Town
 *   jam: vehicles per metre, the largest of any street; mixed: streets differ in theirs
 * @typedef {{time: number | null, vehicles: Float64Array, share: Float64Array, green: Uint8Array,
 *   total: number}} Sample
 *   per street: vehicles, density over its own jam density, 1 where the signal at its end is green, 2 where unknown
 */

/** @param {unknown} value @param {number} fallback */
export function positive(value, fallback) {
  return typeof value === "number" && value > 0 && Number.isFinite(value) ? value : fallback;
}

/** @param {unknown} value @returns {Town | null} null: not a map */
export function readTown(value) {
  if (!isDictionary(value) || !Array.isArray(value.streets)) return null;
  const given = value.streets.slice(0, MOST_STREETS);
  const ways = new Set(given.map((street) => `${street?.from}\n${street?.to}`));
  const usual = positive(value.k_jam, 0.125);
  const streets = given.map((street) => readStreet(street, usual, ways.has(`${street?.to}\n${street?.from}`)));
  const box = /** @type {Town["box"]} */ ([Infinity, Infinity, -Infinity, -Infinity]);
  for (const { points } of streets) {
    for (let at = 0; at < points.length; at += 2) {
      box[0] = Math.min(box[0], points[at]);
      box[1] = Math.min(box[1], points[at + 1]);
      box[2] = Math.max(box[2], points[at]);
      box[3] = Math.max(box[3], points[at + 1]);
    }
  }
  if (!Number.isFinite(box[0])) return null;
  const jam = streets.reduce((most, street) => Math.max(most, street.jam), 0);
  const mixed = streets.some((street) => street.jam !== jam);
  return { name: String(value.name ?? ""), jam, mixed, streets, box };
}

/**
 * A street stays in its place in the list even when it cannot be drawn.
 *
 * @param {any} street @param {number} usual jam density where it has none @param {boolean} twin
 */
function readStreet(street, usual, twin) {
  const points = [];
  for (const point of Array.isArray(street?.points) ? street.points : []) {
    if (Array.isArray(point) && Number.isFinite(point[0]) && Number.isFinite(point[1])) {
      points.push(point[0], point[1]);
    }
  }
  const id = String(street?.id ?? "");
  const jam = positive(street?.k_jam, usual);
  return { id, length: positive(street?.length_m, 1), jam, twin, points: points.length >= 4 ? points : [] };
}

/**
 * Read a sample of a town's streets; what is no number counts as nothing.
 *
 * @param {Town} town
 * @param {unknown} value
 * @returns {Sample | null} null: not a sample of these streets, one value for each
 */
export function readSample(town, value) {
  if (!isDictionary(value)) return null;
  const count = town.streets.length;
  const perStreet = [value.n, value.k].filter((list) => list !== undefined && list !== null);
  if (perStreet.length === 0 || perStreet.some((list) => list.length !== count)) return null;
  const sample = {
    time: Number.isFinite(value.time) ? value.time : null,
    vehicles: new Float64Array(count),
    share: new Float64Array(count),
    green: new Uint8Array(count),
    total: 0,
  };
  for (let street = 0; street < count; street++) {
    const { length, jam } = town.streets[street];
    const density = positive(value.k?.[street], 0);
    const vehicles = positive(value.n?.[street], value.n ? 0 : density * length);
    sample.vehicles[street] = vehicles;
    sample.share[street] = (value.k ? density : vehicles / length) / jam;
    const signal = value.green?.[street];
    sample.green[street] = signal === 1 || signal === true ? 1 : signal === 0 || signal === false ? 0 : 2;
    sample.total += vehicles;
  }
  return sample;
}
