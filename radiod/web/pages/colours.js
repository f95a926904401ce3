/**
 * Colours for density: one scale for each theme, its lightness strictly monotonic.
 *
 * Empty streets stay close to the paper, jammed ones stand out most: dark on light paper, glowing on dark. As
 * lightness alone already tells the order, the scale reads the same with any colour blindness and in grey.
 * Interpolation: OKLab, https://bottosson.github.io/posts/oklab/ (B. Ottosson, 2020).
 */

/** How many colours a scale has; streets of one colour are drawn in one go. */
export const LEVELS = 48;

/** @type {Record<"light" | "dark", string[]>} */
const STOPS = {
  light: ["#d3dae3", "#f0c894", "#ee9b62", "#d95f55", "#a92e63", "#6a1a5e", "#35124a"],
  dark: ["#414b5a", "#5c4290", "#8a3f90", "#c2497a", "#ea6f5d", "#f9a65a", "#fff0a8"],
};

/** @typedef {[number, number, number]} Triple */

/** @param {string} hex as "#rrggbb" @returns {Triple} OKLab: lightness 0..1, a, b */
export function oklab(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => linear(parseInt(hex.slice(at, at + 2), 16) / 255));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** @param {Triple} lab @returns {string} "#rrggbb" */
function hex([lightness, a, b]) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const rgb = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return `#${rgb.map((part) => Math.round(255 * gamma(part)).toString(16).padStart(2, "0")).join("")}`;
}

/** @param {number} part sRGB, 0..1 */
function linear(part) {
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
}

/** @param {number} part linear light */
function gamma(part) {
  const clamped = Math.min(1, Math.max(0, part));
  return clamped <= 0.0031308 ? clamped * 12.92 : 1.055 * clamped ** (1 / 2.4) - 0.055;
}

/**
 * The scale of a theme.
 *
 * @param {"light" | "dark"} theme
 * @returns {string[]} LEVELS colours, empty to jammed
 */
export function scale(theme) {
  const stops = STOPS[theme].map(oklab);
  return Array.from({ length: LEVELS }, (_, level) => {
    const at = (level / (LEVELS - 1)) * (stops.length - 1);
    const from = Math.min(Math.floor(at), stops.length - 2);
    const mixed = stops[from].map((part, axis) => part + (stops[from + 1][axis] - part) * (at - from));
    return hex(/** @type {Triple} */ (mixed));
  });
}

/**
 * Where a share of the jam density lies on the scale, 0..1, whatever the number.
 *
 * Not in proportion: two fifths of the scale go to the first quarter of densities, where traffic flows freely
 * and a town spends most of its day.
 *
 * @param {number} share
 */
export function place(share) {
  return share > 0 ? Math.min(1, share ** 0.65) : 0;
}

/** The index in a scale of a share of the jam density. @param {number} share */
export function level(share) {
  return Math.min(LEVELS - 1, Math.floor(place(share) * LEVELS));
}

/** A CSS gradient showing a scale from left to right. @param {string[]} colours */
export function gradient(colours) {
  return `linear-gradient(to right, ${colours.join(", ")})`;
}

/** The index in a scale of a speed over the free speed: the slower, the farther on. @param {number} share */
export function slowness(share) {
  return Math.min(LEVELS - 1, Math.max(0, Math.floor((1 - share) * LEVELS)));
}
