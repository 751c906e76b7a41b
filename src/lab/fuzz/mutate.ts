const LONGEST_RANDOM = 1024;
/** Long enough for a few frames of the longest format. */
const LONGEST_SLICE = 2048;
const MOST_MUTATIONS = 6;
const LONGEST_INSERT = 64;
/** Bytes that mean something in one format or another: starts, ends, signs and extremes. */
const TELLING = [
  0x00, 0x01, 0x02, 0x03, 0x06, 0x0a, 0x0b, 0x0d, 0x15, 0x22, 0x24, 0x26, 0x2a, 0x2c, 0x2d, 0x2e, 0x30, 0x39, 0x3a,
  0x3d, 0x41, 0x7b, 0x7d, 0x7f, 0x80, 0x81, 0xa0, 0xa4, 0xc0, 0xfa, 0xfe, 0xff,
];

/** One input: random bytes, or a piece of what the device writes, damaged in a few places. */
export function fuzzInput(device: Uint8Array, random: () => number): Uint8Array {
  const below = (n: number) => Math.floor(random() * n);
  const byte = () => (random() < 0.5 ? TELLING[below(TELLING.length)]! : below(256));
  if (random() < 0.2) return Uint8Array.from({ length: below(LONGEST_RANDOM) }, byte);
  const from = below(device.length);
  // A copy: `slice` of a Buffer would be the device's own bytes, damaged for all inputs to come.
  let bytes: Uint8Array = Uint8Array.from(device.subarray(from, from + 1 + below(LONGEST_SLICE)));
  for (let left = below(MOST_MUTATIONS); left > 0 && bytes.length > 0; left--) {
    const at = below(bytes.length);
    const end = Math.min(bytes.length, at + 1 + below(LONGEST_INSERT));
    switch (below(6)) {
      case 0:
        bytes[at]! ^= 1 << below(8);
        break;
      case 1:
        bytes[at] = byte();
        break;
      case 2: // cut out
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
        break;
      case 3: // insert
        bytes = Buffer.concat([bytes.subarray(0, at), Uint8Array.from({ length: end - at }, byte), bytes.subarray(at)]);
        break;
      case 4: // repeat
        bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at, end), bytes.subarray(end)]);
        break;
      default: // cut short
        bytes = bytes.subarray(0, end);
    }
  }
  return bytes;
}
