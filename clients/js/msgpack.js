/**
 * MessagePack for radiod.js: `new Radio(url, { serializer: msgpack })`. Bytes, NaN and Infinity travel as they are.
 *
 *     import { Radio } from "./radiod.js";
 *     import { msgpack } from "./msgpack.js";
 *
 * JSON is faster in JavaScript for small samples, and the default; MessagePack is for bytes and arrays.
 * Integers beyond 2**53 come as BigInt; extension types come as Uint8Array. Source: the MessagePack specification.
 */

const MOST_DEEP = 512;
const TEXT = new TextEncoder();
const READ = new TextDecoder("utf-8", { fatal: true });

/** Bytes that grow. */
class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  /** @param {number} more @returns {number} where they begin */
  room(more) {
    const at = this.length;
    this.length += more;
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.length, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  /** @param {number} code */
  byte(code) {
    const at = this.room(1);
    this.#bytes[at] = code;
  }

  /** @param {Uint8Array} bytes */
  put(bytes) {
    const at = this.room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** @param {number} code @param {number} size of what is behind it @param {(view: DataView, at: number) => void} set */
  head(code, size, set) {
    this.byte(code);
    const at = this.room(size);
    set(this.#view, at);
  }

  /** A length: in the code itself, or in 1, 2 or 4 bytes behind it.
   * @param {number} length @param {number} short the code of short ones @param {number} most of these @param {number} code of 8 bits; 0: none @param {number} wide of 16 */
  size(length, short, most, code, wide) {
    if (length < most) this.byte(short | length);
    else if (code && length < 0x100) this.head(code, 1, (view, at) => view.setUint8(at, length));
    else if (length < 0x10000) this.head(wide, 2, (view, at) => view.setUint16(at, length));
    else this.head(wide + 1, 4, (view, at) => view.setUint32(at, length));
  }

  /** @param {number} value */
  integer(value) {
    if (value >= 0) {
      if (value < 0x80) this.byte(value);
      else if (value < 0x100) this.head(0xcc, 1, (view, at) => view.setUint8(at, value));
      else if (value < 0x10000) this.head(0xcd, 2, (view, at) => view.setUint16(at, value));
      else if (value < 0x100000000) this.head(0xce, 4, (view, at) => view.setUint32(at, value));
      else this.head(0xcf, 8, (view, at) => view.setBigUint64(at, BigInt(value)));
    } else if (value >= -0x20) this.byte(value & 0xff);
    else if (value >= -0x80) this.head(0xd0, 1, (view, at) => view.setInt8(at, value));
    else if (value >= -0x8000) this.head(0xd1, 2, (view, at) => view.setInt16(at, value));
    else if (value >= -0x80000000) this.head(0xd2, 4, (view, at) => view.setInt32(at, value));
    else this.head(0xd3, 8, (view, at) => view.setBigInt64(at, BigInt(value)));
  }

  /** @param {bigint} value */
  big(value) {
    if (BigInt.asIntN(64, value) === value) this.head(0xd3, 8, (view, at) => view.setBigInt64(at, value));
    else if (BigInt.asUintN(64, value) === value) this.head(0xcf, 8, (view, at) => view.setBigUint64(at, value));
    else throw new TypeError("an integer of more than 64 bits cannot be sent");
  }

  /** @param {string} value */
  text(value) {
    if (/** @type {any} */ (value).isWellFormed?.() === false) throw new TypeError("half a character cannot be sent");
    const bytes = TEXT.encode(value);
    this.size(bytes.length, 0xa0, 32, 0xd9, 0xda);
    this.put(bytes);
  }

  /** @param {any} value @param {number} depth */
  value(value, depth) {
    if (depth > MOST_DEEP) throw new RangeError("too deep to be sent, or inside itself");
    const type = typeof value;
    if (value === null || value === undefined) this.byte(0xc0);
    else if (type === "boolean") this.byte(value ? 0xc3 : 0xc2);
    else if (type === "string") this.text(value);
    else if (type === "bigint") this.big(value);
    else if (type === "number") {
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.integer(value);
      else this.head(0xcb, 8, (view, at) => view.setFloat64(at, value));
    } else if (type === "object") this.object(value, depth);
    else throw new TypeError(`a ${type} cannot be sent`);
  }

  /** @param {any} value @param {number} depth */
  object(value, depth) {
    if (value instanceof ArrayBuffer) value = new Uint8Array(value);
    if (ArrayBuffer.isView(value)) {
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      this.size(bytes.length, 0, 0, 0xc4, 0xc5);
      this.put(bytes);
    } else if (Array.isArray(value)) {
      this.size(value.length, 0x90, 16, 0, 0xdc);
      for (const item of value) this.value(item, depth + 1);
    } else if (typeof value.toJSON === "function") this.value(value.toJSON(), depth + 1);
    else {
      const entries = Object.entries(value).filter(([, item]) => item !== undefined);
      this.size(entries.length, 0x80, 16, 0, 0xde);
      for (const [key, item] of entries) {
        this.text(key);
        this.value(item, depth + 1);
      }
    }
  }

  done() {
    return this.#bytes.slice(0, this.length);
  }
}

/** @param {any} value @returns {Uint8Array<ArrayBuffer>} @throws TypeError, RangeError it cannot be said */
export function encode(value) {
  const writer = new Writer();
  writer.value(value, 0);
  return writer.done();
}

/** What is read from bytes that may come from anybody. */
class Reader {
  #bytes;
  #view;
  at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @param {number} size @returns {number} where it begins */
  #skip(size) {
    const at = this.at;
    this.at += size;
    if (this.at > this.#bytes.length) throw new RangeError("ends too early");
    return at;
  }

  /** @param {number} size 1, 2 or 4 */
  #unsigned(size) {
    const at = this.#skip(size);
    if (size === 1) return this.#view.getUint8(at);
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  /** @param {number} size */
  #slice(size) {
    const at = this.#skip(size);
    return this.#bytes.subarray(at, at + size);
  }

  /** @param {number} size */
  #text(size) {
    const at = this.#skip(size);
    // For short ASCII, most of what there is, this is faster than a decoder.
    if (size < 24) {
      let text = "";
      for (let index = at; index < at + size; index++) {
        const code = this.#bytes[index];
        if (code > 0x7f) return READ.decode(this.#bytes.subarray(at, at + size));
        text += String.fromCharCode(code);
      }
      return text;
    }
    return READ.decode(this.#bytes.subarray(at, at + size));
  }

  /** @param {number} count @param {number} depth */
  #array(count, depth) {
    if (count > this.#bytes.length - this.at) throw new RangeError("ends too early");
    const items = [];
    for (let index = 0; index < count; index++) items.push(this.value(depth + 1));
    return items;
  }

  /** @param {number} count @param {number} depth */
  #map(count, depth) {
    if (2 * count > this.#bytes.length - this.at) throw new RangeError("ends too early");
    /** @type {Record<string, any>} */
    const found = {};
    for (let index = 0; index < count; index++) {
      const key = String(this.value(depth + 1));
      const value = this.value(depth + 1);
      if (key === "__proto__") Object.defineProperty(found, key, { value, enumerable: true, configurable: true, writable: true });
      else found[key] = value;
    }
    return found;
  }

  /** @param {bigint} value */
  #integer(value) {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  /** @param {number} [depth] @returns {any} */
  value(depth = 0) {
    if (depth > MOST_DEEP) throw new RangeError("too deep");
    const code = this.#unsigned(1);
    if (code < 0x80) return code;
    if (code < 0x90) return this.#map(code & 0x0f, depth);
    if (code < 0xa0) return this.#array(code & 0x0f, depth);
    if (code < 0xc0) return this.#text(code & 0x1f);
    if (code >= 0xe0) return code - 0x100;
    const view = this.#view;
    const size = 1 << (code & 3); // What most codes have in their last bits.
    switch (code) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return code === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#slice(this.#unsigned(size));
      case 0xc7:
      case 0xc8:
      case 0xc9: {
        const length = this.#unsigned(1 << (code - 0xc7));
        return this.#slice(length + 1).subarray(1);
      }
      case 0xca:
        return view.getFloat32(this.#skip(4));
      case 0xcb:
        return view.getFloat64(this.#skip(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(size);
      case 0xcf:
        return this.#integer(view.getBigUint64(this.#skip(8)));
      case 0xd0:
        return view.getInt8(this.#skip(1));
      case 0xd1:
        return view.getInt16(this.#skip(2));
      case 0xd2:
        return view.getInt32(this.#skip(4));
      case 0xd3:
        return this.#integer(view.getBigInt64(this.#skip(8)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(1 << (code - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(2 << (code - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(2 << (code - 0xde)), depth);
    }
    // 0xd4 … 0xd8: extension types of 1 … 16 bytes; 0xc1 is none.
    if (code < 0xd4 || code > 0xd8) throw new RangeError(`no such code: ${code}`);
    return this.#slice((1 << (code - 0xd4)) + 1).subarray(1);
  }
}

/** @param {Uint8Array} bytes @returns {any} @throws RangeError, TypeError these are no MessagePack */
export function decode(bytes) {
  const reader = new Reader(bytes);
  const value = reader.value();
  if (reader.at !== bytes.length) throw new RangeError("more behind the end");
  return value;
}

/** @param {Uint8Array} bytes of messages with their lengths in front */
function* parts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + view.getUint32(at);
    if (end > bytes.length) throw new RangeError("ends too early");
    yield decode(bytes.subarray(at + 4, end));
    at = end;
  }
}

/** @type {import("./radiod.js").Serializer} */
export const msgpack = {
  name: "msgpack",
  encode: (message, isBatched) => {
    const bytes = encode(message);
    if (!isBatched) return bytes;
    const framed = new Uint8Array(bytes.length + 4);
    new DataView(framed.buffer).setUint32(0, bytes.length);
    framed.set(bytes, 4);
    return framed;
  },
  decode: (data, isBatched) => {
    if (!(data instanceof ArrayBuffer)) throw new TypeError("text instead of bytes");
    const bytes = new Uint8Array(data);
    return isBatched ? [...parts(bytes)] : [decode(bytes)];
  },
};
