/** How one channel stands in a Shimmer3 frame. */
export interface ShimmerChannel {
  readonly bytes: 1 | 2 | 3;
  readonly bigEndian: boolean;
  readonly signed: boolean;
}

function channel(bytes: 1 | 2 | 3, order: 'le' | 'be', signed: boolean): ShimmerChannel {
  return { bytes, bigEndian: order === 'be', signed };
}

const SENSOR = channel(2, 'le', true);
const ADC = channel(2, 'le', false);
const GYROSCOPE = channel(2, 'be', true);
const STATUS = channel(1, 'le', false);
const EXG_24 = channel(3, 'be', true);
const EXG_16 = channel(2, 'be', true);

/** Channels of the Shimmer3 by their id in the inquiry reply; those left out the firmware does not send. */
export const SHIMMER_CHANNELS: ReadonlyMap<number, ShimmerChannel> = new Map([
  // Accelerometer, battery, wide-range accelerometer, magnetometer.
  ...[0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09].map((id) => [id, SENSOR] as const),
  ...[0x0a, 0x0b, 0x0c].map((id) => [id, GYROSCOPE] as const),
  // Analog inputs, external and internal.
  ...[0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13].map((id) => [id, ADC] as const),
  [0x1a, channel(2, 'be', false)],
  [0x1b, channel(3, 'be', false)],
  [0x1c, ADC],
  [0x1d, STATUS],
  [0x1e, EXG_24],
  [0x1f, EXG_24],
  [0x20, STATUS],
  [0x21, EXG_24],
  [0x22, EXG_24],
  ...[0x23, 0x24, 0x25, 0x26].map((id) => [id, EXG_16] as const),
  [0x27, ADC],
  [0x28, ADC],
]);

/** Marker and 24-bit time stamp ahead of the channels. */
export const SHIMMER_HEADER_BYTES = 4;

/** Bytes of a whole data frame. */
export function shimmerFrameBytes(ids: readonly number[]): number {
  return ids.reduce((sum, id) => sum + SHIMMER_CHANNELS.get(id)!.bytes, SHIMMER_HEADER_BYTES);
}

/** Where a channel begins in a frame; -1 where it is not in it. */
export function shimmerOffset(ids: readonly number[], wanted: number): number {
  const place = ids.indexOf(wanted);
  return place < 0 ? -1 : shimmerFrameBytes(ids.slice(0, place));
}
