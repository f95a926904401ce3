/**
 * A town as its map event describes it, and a sample of what moves in it.
 *
 * Pure: no DOM. Everything from the network is checked here, once; past `readTown` it can be trusted.
 */

import { isDictionary } from "./data.js";

const MOST_STREETS = 100_000;
/** The critical density over that of a jam, of streets whose capacity nobody told. */
const CRITICAL = 0.32;
const MOST_RUSHES = 48;

/**
 * @typedef {{id: string, from: string, to: string, length: number, jam: number, critical: number, lanes: number,
 *   speed: number | null, twin: boolean, points: number[]}} Street
 *   metres; jam: vehicles per metre, of all lanes; critical: where queues begin, as a share of jam; speed: free,
 *   m/s; points: x, y, x, y, ...; twin: another street leads back, so this one keeps to its right
 * @typedef {{name: string, jam: number, mixed: boolean, streets: Street[], lanes: number,
 *   lit: Uint8Array, rush: {day: number, hours: [number, number][]} | null, box: [number, number, number, number]}} Town
 *   jam: vehicles per metre, the largest of any street; mixed: streets differ in theirs; lanes: metres of them; lit: 1 where a
 *   light was seen to be red: a street without one is always green;
 *   rush: when many want to drive: simulated seconds since the beginning of each `day`
 * @typedef {{id: ArrayLike<number>, street: ArrayLike<number>, at: ArrayLike<number>}} Vehicles
 *   per vehicle: its number, its street's place in the list, how much of that lies behind it, 0..1
 * @typedef {{time: number | null, date: number | null, vehicles: Float32Array, share: Float32Array,
 *   speed: Float32Array, green: Uint8Array, queue: Float32Array | null, left: Uint8Array | null, cars: Vehicles | null,
 *   total: number, moved: number | null, flow: number, isMeasured: boolean}} Sample
 *   per street: vehicles, density over its own jam density, speed over its free speed, 1 where the signal at its end
 *   is green, 2 where unknown, metres of queue from its end, % of its capacity that is left, or CLOSED. date: the town's clock, milliseconds; moved:
 *   vehicle-metres since the start; flow: vehicles per second and lane, from densities; isMeasured: speeds came
 *   with the sample, and are not those of steady traffic of the same density
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
  const lanes = streets.reduce((sum, street) => sum + street.length * street.lanes, 0);
  return { name: String(value.name ?? ""), jam, mixed, streets, lanes, lit: new Uint8Array(streets.length), rush: readRush(value.rush), box };
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
  const jam = positive(street?.k_jam, usual);
  const speed = positive(street?.speed, 0);
  const critical = speed ? positive(street?.capacity, 0) / speed / jam : 0;
  return {
    id: String(street?.id ?? ""),
    from: String(street?.from ?? ""),
    to: String(street?.to ?? ""),
    length: positive(street?.length_m, 1),
    jam,
    critical: critical > 0 && critical < 1 ? critical : CRITICAL,
    lanes: positive(street?.lanes, 1),
    speed: speed || null,
    twin,
    points: points.length >= 4 ? points : [],
  };
}

/** @param {unknown} value @returns {Town["rush"]} */
function readRush(value) {
  if (!isDictionary(value) || !Array.isArray(value.hours)) return null;
  const isSpan = (/** @type {any} */ hours) => Array.isArray(hours) && hours.length === 2 && hours.every(Number.isFinite);
  return { day: positive(value.day, 86_400), hours: value.hours.filter(isSpan).slice(0, MOST_RUSHES) };
}

/** Whether many want to drive. @param {Town} town @param {Sample} sample */
export function isRush({ rush }, { time }) {
  if (rush === null || time === null) return false;
  const now = time % rush.day;
  return rush.hours.some(([begin, end]) => begin <= now && now < end);
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
  // As the town's own clocks show it, wherever it lies.
  const date = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value.timestamp) ? Date.parse(`${value.timestamp.slice(0, 19)}Z`) : NaN;
  const sample = {
    time: Number.isFinite(value.time) ? value.time : null,
    date: Number.isFinite(date) ? date : null,
    vehicles: new Float32Array(count),
    share: new Float32Array(count),
    speed: new Float32Array(count),
    green: new Uint8Array(count).fill(2),
    queue: value.queue?.length === count ? Float32Array.from(value.queue, (metres) => positive(metres, 0)) : null,
    left: readLeft(value, count),
    cars: null,
    total: 0,
    moved: Number.isFinite(value.moved) ? value.moved : null,
    flow: 0,
    isMeasured: value.v?.length === count,
  };
  fill(town, value, sample);
  if (sample.isMeasured) sample.queue ??= queues(town, sample);
  return sample;
}

/** What is left of the capacity of a closed street: nobody may enter it, and who is on it leaves. */
export const CLOSED = 255;

/** @param {Record<string, any>} value @param {number} count @returns {Uint8Array | null} null: nothing is closed or narrowed */
function readLeft({ closed, narrowed }, count) {
  const list = (/** @type {unknown} */ of) => (Array.isArray(of) ? of : []);
  if (list(closed).length + list(narrowed).length === 0) return null;
  const left = new Uint8Array(count).fill(100);
  for (const pair of list(narrowed)) {
    if (Array.isArray(pair) && Number.isInteger(pair[0]) && pair[1] >= 0 && pair[1] <= 1) left[pair[0]] = Math.round(100 * pair[1]);
  }
  for (const street of list(closed)) if (Number.isInteger(street)) left[street] = CLOSED;
  return left;
}

/** What is said of a street that is closed or narrowed; "": it is neither. @param {Sample | null} sample @param {number} street */
export function notice(sample, street) {
  const left = sample?.left?.[street] ?? 100;
  if (left === CLOSED) return "closed";
  return left < 100 ? `narrowed to ${left} % of its capacity` : "";
}

/**
 * Metres of queue at red lights, of speeds: who does not move stands at jam density at the end of the street, and
 * all others are spread over the whole of it.
 *
 * @param {Town} town @param {Sample} sample
 */
function queues({ streets }, { vehicles, speed, green }) {
  return Float32Array.from(streets, ({ length, jam }, street) => {
    const held = vehicles[street] * (1 - speed[street]);
    const room = jam - (vehicles[street] - held) / length;
    return green[street] !== 0 || held < 1 ? 0 : room > 0 ? Math.min(length, held / room) : length;
  });
}

/** @param {Town} town @param {Record<string, any>} value @param {Sample} sample */
function fill({ streets, lanes, lit }, { n, k, v, green }, sample) {
  for (let street = 0; street < streets.length; street++) {
    const { length, jam, critical, speed } = streets[street];
    const density = positive(k?.[street], 0);
    const vehicles = positive(n?.[street], n ? 0 : density * length);
    const share = (k ? density : vehicles / length) / jam;
    const signal = green?.[street];
    sample.vehicles[street] = vehicles;
    sample.share[street] = share;
    sample.speed[street] = sample.isMeasured ? Math.min(1, positive(v[street], 0) / 100) : steady(share, critical);
    if (signal === 1 || signal === true) sample.green[street] = 1;
    else if (signal === 0 || signal === false) {
      sample.green[street] = 0;
      lit[street] = 1;
    }
    sample.total += vehicles;
    sample.flow += (vehicles * sample.speed[street] * (speed ?? 0)) / lanes;
  }
}

/** Speed of steady traffic over free speed. @param {number} share of the jam density @param {number} critical */
function steady(share, critical) {
  if (share <= critical) return 1;
  return Math.max(0, (critical * (1 - share)) / ((1 - critical) * share));
}
