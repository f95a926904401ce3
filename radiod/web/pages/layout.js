/** Where a town's streets lie on a canvas, and which one lies under the pointer. Pure: no DOM. */

/** Pixels: the side of one cell of the look-up by position. */
const CELL = 24;

/**
 * @typedef {import("./town.js").Town} Town
 * @typedef {{lines: Float32Array[], width: number, cells: Map<number, number[]>, columns: number}} Layout
 *   lines: per street x, y, x, y, ... in pixels, empty if it cannot be drawn; width: of a street
 */

/**
 * Place a town in a rectangle, north up, its shape kept.
 *
 * @param {Town} town
 * @param {number} width pixels
 * @param {number} height pixels
 * @returns {Layout}
 */
export function layOut(town, width, height) {
  const [left, bottom, right, top] = town.box;
  const margin = Math.min(28, width * 0.06);
  const zoom = Math.min(
    (width - 2 * margin) / Math.max(right - left, 1e-9),
    (height - 2 * margin) / Math.max(top - bottom, 1e-9),
    1e6,
  );
  const originX = (width - (right - left) * zoom) / 2 - left * zoom;
  const originY = (height + (top - bottom) * zoom) / 2 + bottom * zoom;
  const placed = town.streets.map(({ points }) =>
    Float32Array.from(points, (at, index) => (index % 2 ? originY - at * zoom : originX + at * zoom)),
  );
  const typical = median(placed.map(reach));
  const wide = Math.min(9, Math.max(1, 0.6 + typical * 0.085));
  const lines = placed.map((line, index) => alongside(line, town.streets[index].twin ? wide * 0.62 : 0, wide));
  return { lines, width: wide, ...index(lines, width) };
}

/** Pixels from a line's first point to its last. @param {Float32Array} line */
function reach(line) {
  return line.length ? Math.hypot(line[line.length - 2] - line[0], line[line.length - 1] - line[1]) : 0;
}

/** @param {number[]} numbers */
function median(numbers) {
  return [...numbers].sort((one, other) => one - other)[numbers.length >> 1] ?? 0;
}

/**
 * The line moved to its own right, and cut short at both ends so that junctions stay open.
 *
 * @param {Float32Array} line pixels, y downwards
 * @param {number} offset pixels
 * @param {number} wide of a street
 */
function alongside(line, offset, wide) {
  const moved = new Float32Array(line.length);
  for (let at = 0; at < line.length; at += 2) {
    const before = Math.max(at - 2, 0);
    const after = Math.min(at + 2, line.length - 2);
    const dx = line[after] - line[before];
    const dy = line[after + 1] - line[before + 1];
    const length = Math.hypot(dx, dy) || 1;
    moved[at] = line[at] - (dy / length) * offset;
    moved[at + 1] = line[at + 1] + (dx / length) * offset;
  }
  const cut = Math.min(wide * 1.5, reach(line) * 0.2);
  shorten(moved, 0, 2, cut);
  shorten(moved, line.length - 2, line.length - 4, cut);
  return moved;
}

/**
 * Move the point at `end` towards the one at `next`.
 *
 * @param {Float32Array} line
 * @param {number} end
 * @param {number} next
 * @param {number} by pixels
 */
function shorten(line, end, next, by) {
  if (line.length < 4) return;
  const dx = line[next] - line[end];
  const dy = line[next + 1] - line[end + 1];
  const share = Math.min(0.4, by / (Math.hypot(dx, dy) || 1));
  line[end] += dx * share;
  line[end + 1] += dy * share;
}

/** Which streets pass through each cell of the canvas. @param {Float32Array[]} lines @param {number} width */
function index(lines, width) {
  /** @type {Map<number, number[]>} */
  const cells = new Map();
  const columns = Math.ceil(width / CELL) + 1;
  for (const [street, line] of lines.entries()) {
    for (let at = 0; at + 3 < line.length; at += 2) {
      const steps = Math.ceil(Math.hypot(line[at + 2] - line[at], line[at + 3] - line[at + 1]) / (CELL / 2)) || 1;
      for (let step = 0; step <= steps; step++) {
        const x = line[at] + ((line[at + 2] - line[at]) * step) / steps;
        const y = line[at + 1] + ((line[at + 3] - line[at + 1]) * step) / steps;
        const cell = Math.floor(y / CELL) * columns + Math.floor(x / CELL);
        const there = cells.get(cell);
        if (there === undefined) cells.set(cell, [street]);
        else if (there.at(-1) !== street) there.push(street);
      }
    }
  }
  return { cells, columns };
}

/**
 * The street nearest to a place on the canvas.
 *
 * @param {Layout} layout
 * @param {number} x
 * @param {number} y
 * @param {number} within pixels, at most the side of a cell
 * @returns {number} its place in the list; -1: none that near
 */
export function nearest(layout, x, y, within) {
  let found = -1;
  let least = Math.min(within, CELL);
  for (let row = -1; row <= 1; row++) {
    for (let column = -1; column <= 1; column++) {
      const cell = (Math.floor(y / CELL) + row) * layout.columns + Math.floor(x / CELL) + column;
      for (const street of layout.cells.get(cell) ?? []) {
        const distance = away(layout.lines[street], x, y);
        if (distance < least) [found, least] = [street, distance];
      }
    }
  }
  return found;
}

/** Distance from a point to a line. @param {Float32Array} line @param {number} x @param {number} y */
function away(line, x, y) {
  let least = Infinity;
  for (let at = 0; at + 3 < line.length; at += 2) {
    const dx = line[at + 2] - line[at];
    const dy = line[at + 3] - line[at + 1];
    const along = ((x - line[at]) * dx + (y - line[at + 1]) * dy) / (dx * dx + dy * dy || 1);
    const share = Math.min(1, Math.max(0, along));
    least = Math.min(least, Math.hypot(x - line[at] - dx * share, y - line[at + 1] - dy * share));
  }
  return least;
}
