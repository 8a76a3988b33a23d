// From the bytes of a packed file (lab 11, `helpers.compression`) to its layers and their weights.
//
// The file: 17 fixed bytes; the header (deflated JSON: layers, tables of frequencies); gaps and
// numbers of codebook entries, coded by asymmetric numeral systems; codebooks and plain values.
// Each script of this folder is one function, so that a worker can be made from its text: a page
// that is opened from a disk may load scripts, but neither modules nor workers nor data.
window.ImageNetMoment = window.ImageNetMoment || {};

window.ImageNetMoment.packedFile = function () {
  "use strict";
  const MAGIC = "AXPK", VERSION = 1, START = 17;
  const SPAN = 128; // gaps of up to 127 are one symbol; symbol 128 skips 128 weights and goes on
  const PRECISION = 2 ** 24; // probabilities are whole parts of this
  const MOST_WEIGHTS = 2 ** 26;

  class PackedFileError extends Error {}

  function require(condition, reason) {
    if (!condition) throw new PackedFileError("not a valid packed model: " + reason);
  }

  // CRC-32 as in zlib, a byte at a time; `crc` goes on from an earlier call.
  const CRC = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    CRC[n] = c;
  }

  function crc32(bytes, crc = 0) {
    crc = ~crc;
    for (let i = 0; i < bytes.length; i++) crc = CRC[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
    return ~crc >>> 0;
  }

  async function inflate(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  }

  // Where each symbol's part of [0, 2^24) begins. The coder wants two symbols at least, so two of
  // frequency 1/2 stand at the end. Each symbol gets 1, the rest is shared out by frequency.
  function intervals(counts) {
    const all = [...counts, 0.5, 0.5], starts = new Uint32Array(all.length + 1);
    const scale = (PRECISION - all.length) / all.reduce((sum, count) => sum + count, 0);
    let left = 0;
    for (let i = 0; i < all.length; i++) {
      starts[i] = Math.trunc(left * scale) + i;
      left += all[i];
    }
    starts[all.length] = PRECISION;
    return starts;
  }

  // Asymmetric numeral systems with a stack of 32-bit words. The state has 64 bits, which is more
  // than a JavaScript number holds exactly, so it is kept in two halves, and a product is made of
  // parts that stay below 2^53.
  class Coder {
    constructor(bytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      this.words = new Uint32Array(bytes.length / 4);
      for (let i = 0; i < this.words.length; i++) this.words[i] = view.getUint32(4 * i, true);
      this.left = this.words.length; // words are taken off the end
      this.high = this.left ? this.words[--this.left] : 0;
      this.low = this.left ? this.words[--this.left] : 0;
    }

    // The next `count` symbols, whose frequencies are `counts`.
    decode(counts, count) {
      const starts = intervals(counts), symbols = new Uint16Array(count);
      for (let i = 0; i < count; i++) {
        const quantile = this.low & (PRECISION - 1);
        let symbol = 0, above = starts.length - 1; // the last symbol that starts at or below it
        while (above - symbol > 1) {
          const middle = (symbol + above) >> 1;
          if (starts[middle] <= quantile) symbol = middle;
          else above = middle;
        }
        symbols[i] = symbol;
        // state = probability · ⌊state / 2^24⌋ + (quantile − start)
        const probability = starts[symbol + 1] - starts[symbol];
        const rest = this.high * 256 + (this.low >>> 24); // 40 bits
        const upper = probability * Math.floor(rest / 65536); // counts 2^16 each
        const lower = probability * (rest % 65536) + (quantile - starts[symbol]);
        const low = (upper % 65536) * 65536 + lower;
        this.low = low >>> 0;
        this.high = Math.floor(upper / 65536) + Math.floor(low / 4294967296);
        if (this.high === 0 && this.left) {
          this.high = this.low;
          this.low = this.words[--this.left];
        }
      }
      return symbols;
    }

    get empty() {
      return !this.left && !this.high && !this.low;
    }
  }

  // The 32 bits of a float32 that has the value of these 16 bits of a float16.
  function bitsOfHalf(half) {
    const sign = (half & 0x8000) << 16, exponent = (half >> 10) & 31;
    let fraction = half & 1023;
    if (exponent === 31) return (sign | 0x7f800000 | (fraction << 13)) >>> 0;
    if (exponent) return (sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0;
    if (!fraction) return sign >>> 0;
    let shift = 0; // a subnormal number: float32 has room to write it normally
    while (!(fraction & 1024)) {
      fraction <<= 1;
      shift++;
    }
    return (sign | ((113 - shift) << 23) | ((fraction & 1023) << 13)) >>> 0;
  }

  // One weight array. `bytes` begin with its plain values. Returns it, and how many bytes it took.
  function decodeArray([shape, width, spread, counts], bytes, coder, room) {
    for (const [table, most] of [[shape, 8], [spread, SPAN + 1], [counts, 256]]) {
      const whole = table.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 31);
      require(whole && table.length <= most, "a table holds something else than counts");
    }
    const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
    const size = shape.reduce((a, b) => a * b, 1), kept = sum(spread.slice(0, SPAN));
    require(size <= room, "it has more weights than there is room for");
    const fits = (width === 2 || width === 4) && sum(spread) <= size;
    require(fits, "an array has more weights than its shape");
    require(!counts.length || sum(counts) === kept, "a codebook is not that of its array");
    const gaps = coder.decode(spread, sum(spread));
    const codes = counts.length ? coder.decode(counts, kept) : null;
    const values = counts.length || kept, view = new DataView(bytes.buffer, bytes.byteOffset);
    require(width * values <= bytes.length, "its values end too early");
    const bits = new Uint32Array(size); // bit patterns, so that nothing is rounded on the way
    let place = -1, next = 0;
    for (const gap of gaps) {
      if (gap >= SPAN) {
        place += SPAN;
        continue;
      }
      place += gap + 1;
      require(place < size && next < kept, "its gaps do not decode");
      const value = codes ? codes[next] : next;
      require(value < values, "its codes do not decode");
      next++;
      bits[place] = width === 2 ? bitsOfHalf(view.getUint16(2 * value, true))
                                : view.getUint32(4 * value, true);
    }
    return [new Float32Array(bits.buffer), width * values];
  }

  // Check the file from outside to inside, as `unpack` does in Python, and believe no size in it.
  // Resolves to {name, layers, arrays, digest}; each array is {shape, values}.
  async function unpack(bytes) {
    require(bytes.length >= START, "it was truncated");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    require(String.fromCharCode(...bytes.subarray(0, 4)) === MAGIC, "it begins with something else");
    require(bytes[4] === VERSION, `it has version ${bytes[4]}, this program reads ${VERSION}`);
    require(crc32(bytes.subarray(9)) === view.getUint32(5, true), "it was truncated or altered");
    const length = view.getUint32(9, true), digest = view.getUint32(13, true);
    const header = JSON.parse(await inflate(bytes.subarray(START, START + length)));
    let rest = bytes.subarray(START + length), room = MOST_WEIGHTS, found = 0;
    const coder = new Coder(rest.subarray(0, header.codes)), arrays = [];
    rest = rest.subarray(header.codes);
    for (const row of header.arrays) {
      const [values, used] = decodeArray(row, rest, coder, room);
      require(values.every(Number.isFinite), "a weight is not a number");
      found = crc32(new Uint8Array(values.buffer), found);
      arrays.push({ shape: row[0], values });
      rest = rest.subarray(used);
      room -= values.length;
    }
    require(coder.empty && !rest.length, "it does not end where it should");
    require(found === digest, "its weights do not decode to what was packed");
    const { name, layers, inputs, outputs } = header;
    return { name, layers, inputs, outputs, arrays, digest };
  }

  return { unpack, crc32, PackedFileError };
};
