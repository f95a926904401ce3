/** Numbers, times and JSON as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** @param {number} value */
export function count(value) {
  return whole.format(value);
}

/** One digit after the point below 100. @param {number} value */
export function amount(value) {
  return Math.abs(value) < 100 ? fine.format(value) : whole.format(value);
}

/** Messages per second. @param {number | null} perSecond */
export function rate(perSecond) {
  if (perSecond === null) return "–";
  return perSecond > 0 && perSecond < 0.05 ? "<0.1/s" : `${amount(perSecond)}/s`;
}

/** Simulated seconds as a clock, with days once there are any. @param {number} seconds */
export function clock(seconds) {
  const all = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const days = Math.floor(all / 86_400);
  const time = `${two(Math.floor(all / 3600) % 24)}:${two(Math.floor(all / 60) % 60)}:${two(all % 60)}`;
  return days > 0 ? `day ${days + 1}, ${time}` : time;
}

/** A stretch of time. @param {number} milliseconds */
export function ago(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 90) return `${seconds} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** 1, 2, 2.5 or 5 times a power of ten: the least that is no smaller. @param {number} size positive */
export function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return power * ([1, 2, 2.5, 5].find((step) => step * power >= size * 0.999) ?? 10);
}

/** A street's length. @param {number} metres */
export function length(metres) {
  return metres < 1000 ? `${whole.format(metres)} m` : `${fine.format(metres / 1000)} km`;
}

/**
 * The time of day in a town: what its date says where it has one, else seconds since its midnight.
 *
 * @param {number | null} time simulated seconds since the start
 * @param {number | null} date milliseconds, as the town's clock shows it in UTC
 */
export function timeOfDay(time, date) {
  if (date === null) return time === null ? "–" : clock(time);
  const day = Math.floor(date / 86_400_000) * 86_400;
  const first = time === null ? day : Math.floor((date / 1000 - time) / 86_400) * 86_400;
  return clock(date / 1000 - first);
}
