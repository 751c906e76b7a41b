/**
 * How samples lie in a signal file: the formats of WFDB's signal(5) that one meets in practice. Each packs samples in
 * groups; `decode` and `encode` deal with whole files, in the order of the file.
 */
export interface SignalFormat {
  readonly id: number;
  /** The value that means "no sample here"; null where the format has none. */
  readonly invalid: number | null;
  readonly min: number;
  readonly max: number;
  /** Bytes that hold `count` samples. */
  byteLength(count: number): number;
  /** How many whole samples `bytes` bytes hold. */
  sampleCount(bytes: number): number;
  /** Reads out.length samples from `bytes`, which must hold them (see `byteLength`). */
  decode(bytes: Uint8Array, out: Int32Array): void;
  encode(samples: Int32Array): Uint8Array;
}

const format16: SignalFormat = {
  id: 16,
  invalid: -32768,
  min: -32767,
  max: 32767,
  byteLength: (count) => 2 * count,
  sampleCount: (bytes) => Math.floor(bytes / 2),
  decode(bytes, out) {
    for (let i = 0; i < out.length; i++) out[i] = ((bytes[2 * i]! | (bytes[2 * i + 1]! << 8)) << 16) >> 16;
  },
  encode(samples) {
    const bytes = new Uint8Array(2 * samples.length);
    samples.forEach((value, i) => {
      bytes[2 * i] = value;
      bytes[2 * i + 1] = value >> 8;
    });
    return bytes;
  },
};

/** As 16, the more significant byte first. */
const format61: SignalFormat = {
  ...format16,
  id: 61,
  decode(bytes, out) {
    for (let i = 0; i < out.length; i++) out[i] = ((bytes[2 * i + 1]! | (bytes[2 * i]! << 8)) << 16) >> 16;
  },
  encode(samples) {
    const bytes = format16.encode(samples);
    for (let i = 0; i < bytes.length; i += 2) {
      const low = bytes[i]!;
      bytes[i] = bytes[i + 1]!;
      bytes[i + 1] = low;
    }
    return bytes;
  },
};

/** 8 bits, offset binary. */
const format80: SignalFormat = {
  id: 80,
  invalid: -128,
  min: -127,
  max: 127,
  byteLength: (count) => count,
  sampleCount: (bytes) => bytes,
  decode(bytes, out) {
    for (let i = 0; i < out.length; i++) out[i] = bytes[i]! - 128;
  },
  encode: (samples) => Uint8Array.from(samples, (value) => value + 128),
};

/** Two 12-bit samples in three bytes: low byte, the two high nibbles (the second sample's on top), low byte. */
const format212: SignalFormat = {
  id: 212,
  invalid: -2048,
  min: -2047,
  max: 2047,
  // A last odd sample needs two bytes; many writers pad it to three.
  byteLength: (count) => 3 * (count >> 1) + 2 * (count & 1),
  sampleCount: (bytes) => 2 * Math.floor(bytes / 3) + (bytes % 3 === 2 ? 1 : 0),
  decode(bytes, out) {
    for (let i = 0, at = 0; i < out.length; i += 2, at += 3) {
      const high = bytes[at + 1]!;
      out[i] = ((bytes[at]! | ((high & 0x0f) << 8)) << 20) >> 20;
      if (i + 1 < out.length) out[i + 1] = ((bytes[at + 2]! | ((high & 0xf0) << 4)) << 20) >> 20;
    }
  },
  encode(samples) {
    const bytes = new Uint8Array(this.byteLength(samples.length));
    for (let i = 0, at = 0; i < samples.length; i += 2, at += 3) {
      const first = samples[i]!;
      const second = i + 1 < samples.length ? samples[i + 1]! : 0;
      bytes[at] = first;
      bytes[at + 1] = ((first >> 8) & 0x0f) | ((second >> 4) & 0xf0);
      if (i + 1 < samples.length) bytes[at + 2] = second;
    }
    return bytes;
  },
};

/** Three 10-bit samples in four bytes; `split` and `join` say which of the 32 bits belong to which sample. */
function tenBit(
  id: 310 | 311,
  bitsOf: (word: number, index: number) => number,
  join: (a: number, b: number, c: number) => number,
) {
  const format: SignalFormat = {
    id,
    invalid: -512,
    min: -511,
    max: 511,
    byteLength: (count) => 4 * Math.ceil(count / 3),
    sampleCount: (bytes) => 3 * Math.floor(bytes / 4),
    decode(bytes, out) {
      for (let i = 0; i < out.length; i++) {
        const at = 4 * Math.floor(i / 3);
        const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
        out[i] = (bitsOf(word, i % 3) << 22) >> 22;
      }
    },
    encode(samples) {
      const bytes = new Uint8Array(this.byteLength(samples.length));
      for (let i = 0; i < samples.length; i += 3) {
        const word = join(samples[i]! & 0x3ff, (samples[i + 1] ?? 0) & 0x3ff, (samples[i + 2] ?? 0) & 0x3ff);
        const at = 4 * (i / 3);
        for (let k = 0; k < 4; k++) bytes[at + k] = word >>> (8 * k);
      }
      return bytes;
    },
  };
  return format;
}

const format310 = tenBit(
  310,
  (word, index) =>
    index === 0
      ? (word >> 1) & 0x3ff
      : index === 1
        ? (word >> 17) & 0x3ff
        : ((word >> 11) & 0x1f) | (((word >>> 27) & 0x1f) << 5),
  (a, b, c) => (a << 1) | ((c & 0x1f) << 11) | (b << 17) | ((c >> 5) << 27),
);

const format311 = tenBit(
  311,
  (word, index) => (word >> (10 * index)) & 0x3ff,
  (a, b, c) => a | (b << 10) | (c << 20),
);

/** The formats this library reads and writes, by their WFDB number. */
export const SIGNAL_FORMATS: ReadonlyMap<number, SignalFormat> = new Map(
  [format16, format61, format80, format212, format310, format311].map((format) => [format.id, format]),
);
