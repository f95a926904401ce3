/** The town's density and flow: one point for a while, which together show what the town can carry. Pure. */

/** Simulated seconds that flow is the mean of: about a cycle of the lights. */
const WINDOW = 90;

/** @typedef {import("./town.js").Sample} Sample @typedef {import("./town.js").Town} Town */

/**
 * Vehicles per km of lane, and vehicles per hour and lane, of each frame.
 *
 * Flow is what was driven in the last 90 s where samples tell that, else that of steady traffic as dense as each street's.
 *
 * @param {Town} town
 * @param {Sample[]} frames oldest first
 * @returns {{x: number, y: number}[]} one for each frame
 */
export function densityAndFlow(town, frames) {
  let from = 0;
  return frames.map((frame, at) => {
    while (from < at && (frame.time ?? 0) - (frames[from + 1].time ?? 0) >= WINDOW) from += 1;
    return { x: (frame.total / town.lanes) * 1000, y: 3600 * flow(town, frames[from], frame) };
  });
}

/** @param {Town} town @param {Sample} before @param {Sample} now */
function flow(town, before, now) {
  const seconds = (now.time ?? 0) - (before.time ?? 0);
  if (now.moved === null || before.moved === null) return now.flow;
  return seconds > 0 ? Math.max(0, now.moved - before.moved) / seconds / town.lanes : now.flow;
}
