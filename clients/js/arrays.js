/**
 * Numerical arrays in samples: docs/arrays.md. In JSON their bytes are a string of NUL and base64.
 *
 * Sources: WAMP's binary data in JSON; RFC 1950 (zlib); IEEE 754 (half floats).
 */

/** @type {Map<string, any>} */
const TYPES = new Map(Object.entries({
  b1: Uint8Array, i1: Int8Array, i2: Int16Array, i4: Int32Array, i8: BigInt64Array,
  u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, u8: BigUint64Array,
  f2: Uint16Array, f4: Float32Array, f8: Float64Array, c8: Float32Array, c16: Float64Array,
}));

/** @param {string} what @returns {never} */
const wrong = (what) => { throw new Error(`not an array: ${what}`); };

/** @param {number} bits @returns {number} */
function half(bits) {
  const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

/** @param {Uint8Array<ArrayBuffer>} data @param {number} size */
async function inflate(data, size) {
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const bytes = new Uint8Array(size);
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => wrong("zlib"));
    if (done) return length === size ? bytes : wrong("length");
    if (length + value.length > size) {
      reader.cancel().catch(() => {});
      wrong("length");
    }
    bytes.set(value, length);
    length += value.length;
  }
}

/** Whether a value is an array, as far as its key says. @param {any} value @returns {boolean} */
export const isArray = (value) => typeof value === "object" && value !== null && Object.hasOwn(value, "_nd");

/**
 * One array: `values` is a typed array in C order, element `[i][j]` of `[rows, columns]` is `values[i * columns + j]`.
 *
 * 64-bit integers are BigInts, half floats become 32-bit ones, booleans 0 and 1, complex numbers two values each.
 *
 * @param {any} value as it came @param {number} [maxBytes] that its elements may have
 * @returns {Promise<{ shape: number[], values: any }>} rejects with an Error that says what is wrong
 */
export async function decodeArray(value, maxBytes = 64 * 2 ** 20) {
  const { _nd, dtype, shape, data, enc } = value ?? {};
  const name = /^(<|\|(?=[biu]1$))(\w+)$/.exec(dtype)?.[2] ?? "", Type = TYPES.get(name);
  if (_nd !== 1 || !Type) wrong("version or dtype");
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) wrong("shape");
  const size = shape.reduce((/** @type {number} */ product, /** @type {number} */ n) => product * n, 1) * Number(name.slice(1));
  if (!(size <= maxBytes)) wrong("too large");
  let bytes = data;
  if (typeof data === "string" && data[0] === "\0") {
    try { bytes = Uint8Array.from(atob(data.slice(1)), (c) => c.charCodeAt(0)); } catch { wrong("base64"); }
  }
  if (!(bytes instanceof Uint8Array)) wrong("data");
  if (enc === "zlib") bytes = await inflate(bytes, size);
  else if (enc !== "raw") wrong("enc");
  if (bytes.length !== size) wrong("length");
  // A copy, because typed arrays want their bytes aligned; they have the machine's order, little-endian nearly everywhere.
  const values = new Type(Uint8Array.from(bytes).buffer);
  return { shape, values: name === "f2" ? Float32Array.from(values, half) : values };
}
