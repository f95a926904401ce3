/** What was seen of a town so far: its samples in order, as many as memory has room for. Pure: no DOM. */

/** Samples' streets that are kept: about 40 MB. */
const MOST_STREETS = 3_000_000;
const MOST_FRAMES = 1200;
const LEAST_FRAMES = 30;

/** @typedef {import("./town.js").Sample} Sample */

/** The newest samples of one town. */
export class Film {
  /** @type {Sample[]} oldest first */ frames = [];
  most;

  /** @param {number} streets */
  constructor(streets) {
    this.most = Math.min(MOST_FRAMES, Math.max(LEAST_FRAMES, Math.floor(MOST_STREETS / Math.max(streets, 1))));
  }

  /** @param {Sample} sample the newest */
  add(sample) {
    const last = this.frames.at(-1);
    // The source began anew: what was is another day.
    if (last && sample.time !== null && last.time !== null && sample.time < last.time) this.frames = [];
    this.frames.push(sample);
    if (this.frames.length > this.most) this.frames.shift();
  }

  /** Put older samples before those that are there, as far as there is room. @param {Sample[]} samples oldest first */
  prepend(samples) {
    const first = this.frames[0];
    const time = first?.time ?? null;
    const begin = samples.findLastIndex((one, at) => at > 0 && !isBefore(samples[at - 1].time, one.time));
    const older = samples.slice(Math.max(begin, 0)).filter((one) => first === undefined || time === null || isBefore(one.time, time));
    const room = this.most - this.frames.length;
    if (room > 0) this.frames = [...older.slice(-room), ...this.frames];
  }

  /** The frames of the last so many simulated seconds up to one. @param {Sample} end @param {number} seconds */
  until(end, seconds) {
    const last = this.frames.indexOf(end);
    let first = last;
    const after = (end.time ?? 0) - seconds;
    while (first > 0 && (this.frames[first - 1].time ?? -Infinity) >= after) first--;
    return last < 0 ? [] : this.frames.slice(first, last + 1);
  }
}

/** @param {number | null} one @param {number | null} other */
function isBefore(one, other) {
  return one === null || other === null || one < other;
}
