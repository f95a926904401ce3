/**
 * A town's streets as lines on a screen, which of them can be seen, and which lies under the pointer. Pure: no DOM.
 *
 * Everything is kept in metres, in flat arrays; lines in pixels are made for one street at a time, when they are
 * wanted: so a view may change with each frame.
 */

/** Pixels: as far from a street somebody may point. */
const REACH = 24;
/** Metres across a lane as it is drawn when one looks closely. */
const LANE = 3.2;
/** Pixels: streets of one lane that are narrower meet without a gap, and show no signals, which would hide them. */
export const SIGNALS_FROM = 2.4;
/** Lanes that are told apart by width. */
const MOST_LANES = 8;

/** @typedef {import("./town.js").Town} Town @typedef {import("./camera.js").Camera} Camera */

/** The lines of one town. */
export class Layout {
  /** Points of the street made last: x, y, x, y, ... in pixels. */
  line = new Float64Array(64);
  /** Per street: lanes, as far as they are told apart by width. */
  lanes;
  #first;
  #points;
  /** Per point: the unit vector to the street's right, on the screen. */ #right;
  #twins;
  /** Per street: 1 where its beginning lies at a junction, 2 where its end does; where it only goes on, nothing is open. */
  #open;
  /** Per street: metres from its first point to its last. */ #reach;
  #typical;
  #grid;

  /** @param {Town} town */
  constructor({ streets, box }) {
    const count = streets.length;
    this.#first = new Uint32Array(count + 1);
    for (let at = 0; at < count; at++) this.#first[at + 1] = this.#first[at] + streets[at].points.length;
    const size = this.#first[count];
    this.#points = new Float64Array(size);
    this.#right = new Float32Array(size);
    this.#twins = Uint8Array.from(streets, (street) => Number(street.twin));
    this.#reach = new Float32Array(count);
    this.#open = openings(streets);
    this.lanes = Uint8Array.from(streets, ({ lanes }) => Math.min(MOST_LANES, Math.max(1, Math.round(lanes))));
    for (let at = 0; at < count; at++) this.#measure(at, streets[at].points);
    const drawn = this.#reach.filter((metres) => metres > 0).sort();
    this.#typical = drawn[drawn.length >> 1] ?? 0;
    this.#grid = new Grid(box, this.#points, this.#first);
  }

  /** @param {number} street @param {number[]} points */
  #measure(street, points) {
    const first = this.#first[street];
    this.#points.set(points, first);
    const last = points.length - 2;
    if (last < 2) return;
    this.#reach[street] = Math.hypot(points[last] - points[0], points[last + 1] - points[1]);
    for (let at = 0; at <= last; at += 2) {
      const [before, after] = [Math.max(at - 2, 0), Math.min(at + 2, last)];
      const [dx, dy] = [points[after] - points[before], points[after + 1] - points[before + 1]];
      const length = Math.hypot(dx, dy) || 1;
      this.#right[first + at] = dy / length;
      this.#right[first + at + 1] = dx / length;
    }
  }

  get count() {
    return this.#reach.length;
  }

  /** @param {number} street */
  isDrawn(street) {
    return this.#first[street + 1] > this.#first[street];
  }

  /** Pixels across a street of one lane. @param {number} zoom */
  base(zoom) {
    // Where streets are short, the width of a lane tells when there is room.
    return Math.min(9, Math.max(0.8, 0.5 + this.#typical * zoom * 0.08, 0.8 * LANE * zoom));
  }

  /** Pixels across a street of so many lanes. @param {number} lanes @param {number} zoom */
  width(lanes, zoom) {
    const base = this.base(zoom);
    return Math.max(base * (0.62 + 0.38 * lanes), Math.min(LANE * zoom, 24) * lanes);
  }

  /**
   * Make a street's line: beside that of its twin, and cut short at junctions, so that these stay open.
   *
   * @param {number} street
   * @param {Camera} camera
   * @returns {number} how many numbers of `line` are its; 0: it cannot be drawn
   */
  trace(street, { x, y, zoom, width, height }) {
    const first = this.#first[street];
    const size = this.#first[street + 1] - first;
    if (size === 0) return 0;
    if (size > this.line.length) this.line = new Float64Array(2 * size);
    const { line } = this;
    const wide = this.width(this.lanes[street], zoom);
    const offset = this.#twins[street] ? wide * 0.5 + Math.min(wide * 0.12, 1.5) : 0;
    const left = width / 2 - x * zoom;
    const top = height / 2 + y * zoom;
    for (let at = 0; at < size; at += 2) {
      line[at] = left + this.#points[first + at] * zoom + this.#right[first + at] * offset;
      line[at + 1] = top - this.#points[first + at + 1] * zoom + this.#right[first + at + 1] * offset;
    }
    if (this.base(zoom) < SIGNALS_FROM) return size;
    const cut = Math.min(wide * 1.1, this.#reach[street] * zoom * 0.13);
    if (this.#open[street] & 1) shorten(line, 0, 2, cut);
    if (this.#open[street] & 2) shorten(line, size - 2, size - 4, cut);
    return size;
  }

  /** The streets that may be seen. @param {Camera} camera @returns {ArrayLike<number>} the first `seen.length` of them */
  visible(camera) {
    const reach = REACH + 2 * this.width(MOST_LANES, camera.zoom);
    return this.#grid.within(
      camera.worldX(-reach), camera.worldY(camera.height + reach), camera.worldX(camera.width + reach), camera.worldY(-reach),
    );
  }

  /**
   * The street nearest to a place on the screen.
   *
   * @param {Camera} camera
   * @param {number} x
   * @param {number} y
   * @param {number} within pixels
   * @returns {number} its place in the list; -1: none that near
   */
  nearest(camera, x, y, within) {
    const reach = REACH + this.width(MOST_LANES, camera.zoom);
    const near = this.#grid.within(
      camera.worldX(x - reach), camera.worldY(y + reach), camera.worldX(x + reach), camera.worldY(y - reach),
    );
    let found = -1;
    let least = within;
    for (let at = 0; at < near.length; at++) {
      const size = this.trace(near[at], camera);
      const distance = away(this.line, size, x, y) - this.width(this.lanes[near[at]], camera.zoom) / 2;
      if (distance < least) [found, least] = [near[at], distance];
    }
    return found;
  }
}

/** At which of their ends streets meet others: where three or more ways lead on. @param {Town["streets"]} streets */
function openings(streets) {
  /** Junction: one or two others that are next to it, or null: there are more. @type {Map<string, string[] | null>} */
  const near = new Map();
  for (const { from, to } of streets) {
    for (const [here, there] of [[from, to], [to, from]]) {
      const known = near.get(here);
      if (known === undefined) near.set(here, [there]);
      else if (known && !known.includes(there)) near.set(here, known.length < 2 ? [...known, there] : null);
    }
  }
  return Uint8Array.from(streets, ({ from, to }) => Number(near.get(from) === null) + 2 * Number(near.get(to) === null));
}

/** Which streets pass through each cell of a plane. */
class Grid {
  #left;
  #bottom;
  #cell;
  #columns;
  #rows;
  /** @type {Uint32Array} where each cell's streets begin */ #begin;
  /** @type {Uint32Array} */ #streets;
  /** Per street: the question it was last an answer of, so that none is twice in one. */ #asked;
  #question = 0;
  #answer;

  /** @param {Town["box"]} box @param {Float64Array} points @param {Uint32Array} first */
  constructor([left, bottom, right, top], points, first) {
    const count = first.length - 1;
    const side = Math.max(right - left, top - bottom, 1e-6);
    this.#left = left;
    this.#bottom = bottom;
    // About as many cells as streets; thin towns have fewer.
    this.#cell = side / Math.max(1, Math.ceil(Math.sqrt(count)));
    this.#columns = Math.floor((right - left) / this.#cell) + 1;
    this.#rows = Math.floor((top - bottom) / this.#cell) + 1;
    this.#asked = new Uint32Array(count);
    this.#answer = new Uint32Array(count);
    /** @type {number[]} */
    const pairs = [];
    for (let street = 0; street < count; street++) this.#enter(street, points, first, pairs);
    this.#begin = new Uint32Array(this.#columns * this.#rows + 1);
    for (let at = 0; at < pairs.length; at += 2) this.#begin[pairs[at] + 1] += 1;
    for (let cell = 0; cell < this.#begin.length - 1; cell++) this.#begin[cell + 1] += this.#begin[cell];
    const next = this.#begin.slice();
    this.#streets = new Uint32Array(pairs.length / 2);
    for (let at = 0; at < pairs.length; at += 2) this.#streets[next[pairs[at]]++] = pairs[at + 1];
  }

  /** @param {number} street @param {Float64Array} points @param {Uint32Array} first @param {number[]} pairs cell, street, ... */
  #enter(street, points, first, pairs) {
    let before = -1;
    for (let at = first[street]; at + 3 < first[street + 1]; at += 2) {
      const [dx, dy] = [points[at + 2] - points[at], points[at + 3] - points[at + 1]];
      const steps = Math.ceil((2 * Math.hypot(dx, dy)) / this.#cell) || 1;
      for (let step = 0; step <= steps; step++) {
        const cell =
          this.#row(points[at + 1] + (dy * step) / steps) * this.#columns + this.#column(points[at] + (dx * step) / steps);
        if (cell !== before) pairs.push(cell, street);
        before = cell;
      }
    }
  }

  /** @param {number} x */
  #column(x) {
    return Math.min(Math.max(Math.floor((x - this.#left) / this.#cell), 0), this.#columns - 1);
  }

  /** @param {number} y */
  #row(y) {
    return Math.min(Math.max(Math.floor((y - this.#bottom) / this.#cell), 0), this.#rows - 1);
  }

  /** @param {number} left @param {number} bottom @param {number} right @param {number} top */
  within(left, bottom, right, top) {
    const question = ++this.#question;
    const [from, to] = [this.#column(left - this.#cell), this.#column(right + this.#cell)];
    let count = 0;
    for (let row = this.#row(bottom - this.#cell); row <= this.#row(top + this.#cell); row++) {
      const end = this.#begin[row * this.#columns + to + 1];
      for (let at = this.#begin[row * this.#columns + from]; at < end; at++) {
        const street = this.#streets[at];
        if (this.#asked[street] === question) continue;
        this.#asked[street] = question;
        this.#answer[count++] = street;
      }
    }
    return this.#answer.subarray(0, count);
  }
}

/**
 * Move the point at `end` towards the one at `next`.
 *
 * @param {Float64Array} line
 * @param {number} end
 * @param {number} next
 * @param {number} by pixels
 */
function shorten(line, end, next, by) {
  const [dx, dy] = [line[next] - line[end], line[next + 1] - line[end + 1]];
  const share = Math.min(0.4, by / (Math.hypot(dx, dy) || 1));
  line[end] += dx * share;
  line[end + 1] += dy * share;
}

/** Distance from a point to a line. @param {Float64Array} line @param {number} size @param {number} x @param {number} y */
function away(line, size, x, y) {
  let least = Infinity;
  for (let at = 0; at + 3 < size; at += 2) {
    const [dx, dy] = [line[at + 2] - line[at], line[at + 3] - line[at + 1]];
    const along = ((x - line[at]) * dx + (y - line[at + 1]) * dy) / (dx * dx + dy * dy || 1);
    const share = Math.min(1, Math.max(0, along));
    least = Math.min(least, Math.hypot(x - line[at] - dx * share, y - line[at + 1] - dy * share));
  }
  return least;
}

/**
 * Where on a line a share of its length has passed.
 *
 * @param {Float64Array} line @param {number} size @param {number} share 0..1
 * @returns {{x: number, y: number, after: number}} after: the index in `line` of the next point
 */
export function along(line, size, share) {
  let length = 0;
  for (let at = 0; at + 3 < size; at += 2) length += Math.hypot(line[at + 2] - line[at], line[at + 3] - line[at + 1]);
  let rest = length * Math.min(1, Math.max(0, share));
  for (let at = 0; at + 3 < size; at += 2) {
    const [dx, dy] = [line[at + 2] - line[at], line[at + 3] - line[at + 1]];
    const piece = Math.hypot(dx, dy);
    if (rest <= piece && piece > 0) return { x: line[at] + (dx * rest) / piece, y: line[at + 1] + (dy * rest) / piece, after: at + 2 };
    rest -= piece;
  }
  return { x: line[size - 2], y: line[size - 1], after: size - 2 };
}
