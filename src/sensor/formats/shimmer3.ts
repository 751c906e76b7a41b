import type { Carries, Decoder, DropReason, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { choiceOption, numberOption, rateOption } from './options.js';
import {
  SHIMMER_CHANNELS,
  SHIMMER_HEADER_BYTES,
  type ShimmerChannel,
  shimmerFrameBytes,
  shimmerOffset,
} from './shimmer3-channels.js';

/* Shimmer3 LogAndStream firmware, as in seemoo-lab/pyshimmer. */
const ACK = 0xff;
const DATA = 0x00;
const INQUIRY_REPLY = 0x02;
const INQUIRY = 0x01;
const START = 0x07;
const STOP = 0x20;
/** FF 02, rate, configuration, number of channels, buffer size. */
const INQUIRY_HEAD_BYTES = 10;
const INQUIRY_COUNT = 8;
const MOST_CHANNELS = 41;
/** The reply to the inquiry is the first thing that comes; later the same bytes may stand in the data. */
const INQUIRY_WITHIN_BYTES = 512;
const MOST_ACKS = 4;
const TICKS_PER_MS = 32.768;
const TICK_MODULUS = 2 ** 24;
/** Time stamps are this exact, in ticks. */
const JITTER_TICKS = 2;
/** Frames in a row with even time steps before the first is believed. */
const CONFIRM_FRAMES = 3;
/**
 * 2048 Hz to 10 Hz. Read one byte too early or too late the steps are 256 times larger or smaller, so with bounds closer
 * together than that only one reading fits, even where the byte beside the time is always 0.
 */
const LEAST_PERIOD_TICKS = 16;
const MOST_PERIOD_TICKS = 3277;
const MOST_LOST_FRAMES = 4096;
const TICKS_PER_SECOND = 32_768;
const DEFAULT_CHANNELS = '1D,1E,1F,20,21,22';
const DEFAULT_SIGNAL = '1E';
const DEFAULT_PERIOD_TICKS = 64;
/** ADS1292R: reference 2.42 V. */
const REFERENCE_MV = 2420;
const ADC_MAX = 4095;

function idOf(name: string, option: string): number {
  const id = /^[0-9a-f]{2}$/i.test(name) ? Number.parseInt(name, 16) : -1;
  if (!SHIMMER_CHANNELS.has(id))
    throw new Error(`option ${option}: ${JSON.stringify(name)} is not a channel id in hex`);
  return id;
}

interface Settings {
  readonly channels: readonly number[];
  readonly signal: number;
  readonly layout: ShimmerChannel;
}

function settings(options: FormatOptions): Settings {
  const channels = String(options.channels ?? DEFAULT_CHANNELS)
    .split(',')
    .map((name) => idOf(name.trim(), 'channels'));
  const signal = idOf(String(options.signal ?? DEFAULT_SIGNAL), 'signal');
  if (!channels.includes(signal)) throw new Error('option signal: this channel is not in channels');
  return { channels, signal, layout: SHIMMER_CHANNELS.get(signal)! };
}

function carries(options: FormatOptions): Carries {
  const { layout } = settings(options);
  const gain = numberOption(options, 'gain', 6, 1, 12);
  const full = 2 ** (8 * layout.bytes - 1);
  const kind = choiceOption(options, 'kind', layout.signed ? 'ecg' : 'ppg', ['ecg', 'ppg']);
  return {
    waveform: {
      kind,
      rateHz: rateOption(options, null),
      unit: 'count',
      nominal: layout.signed
        ? { offset: 0, perUnit: (gain * (full - 1)) / REFERENCE_MV }
        : { offset: (ADC_MAX + 1) / 2, perUnit: (ADC_MAX + 1) / 2 },
      range: layout.signed ? { min: -full, max: full - 1 } : { min: 0, max: ADC_MAX },
    },
    beatFlags: false,
    rr: false,
    heartRate: false,
    spo2: false,
    contact: false,
    battery: false,
  };
}

function stampAt(bytes: Uint8Array, from: number): number {
  return bytes[from + 1]! | (bytes[from + 2]! << 8) | (bytes[from + 3]! << 16);
}

function stepTicks(from: number, to: number): number {
  return (to - from + TICK_MODULUS) % TICK_MODULUS;
}

class Shimmer3Decoder implements Decoder, FrameRule {
  reason: DropReason = 'framing';
  longestBytes: number;
  private readonly framer: ByteFramer;
  private readonly configured: readonly number[];
  private readonly signal: number;
  private readonly layout: ShimmerChannel;
  private size = 0;
  private offset = 0;
  private aligned = false;
  private periodTicks = 0;
  private lastStamp = 0;
  private wrappedTicks = 0;
  private toldTicks = 0;
  private frames = 0;
  /** Bytes seen since the opening, as far as that matters for the inquiry. */
  private seen = 0;
  private acks = 0;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    const { channels, signal, layout } = settings(options);
    this.configured = channels;
    this.signal = signal;
    this.layout = layout;
    // Room for the longest frame that an inquiry can announce.
    this.longestBytes = CONFIRM_FRAMES * (SHIMMER_HEADER_BYTES + 3 * MOST_CHANNELS);
    this.framer = new ByteFramer(this, (reason, bytes) => {
      this.seen += bytes;
      sink.dropped(reason, bytes);
    });
    this.begin();
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
    this.begin();
  }

  measure(bytes: Uint8Array, from: number, to: number): number {
    this.reason = 'framing';
    if (this.frames === 0 && bytes[from] === ACK) {
      const length = this.inquiryBytes(bytes, from, to);
      if (length >= 0) return length;
    }
    if (bytes[from] !== DATA) return this.lose();
    if (to - from < this.size) return 0;
    return this.aligned ? this.follow(bytes, from, to) : this.search(bytes, from, to);
  }

  frame(bytes: Uint8Array, from: number, length: number): void {
    if (bytes[from] === ACK) {
      if (length === 1) this.acks++;
      else this.learn(bytes, from);
      return;
    }
    const { sink } = this;
    const stamp = stampAt(bytes, from);
    const step = this.frames === 0 ? stamp : stepTicks(this.lastStamp, stamp);
    const lost = this.frames === 0 ? 0 : Math.round(step / this.periodTicks) - 1;
    if (lost > 0 && lost <= MOST_LOST_FRAMES) sink.lost(lost);
    this.wrappedTicks += step;
    // A time that is no whole number is an object to the engine: once a second and after a gap is enough.
    if (this.frames === 0 || lost > 0 || this.wrappedTicks - this.toldTicks >= TICKS_PER_SECOND) {
      this.toldTicks = this.wrappedTicks;
      sink.deviceTime(this.wrappedTicks / TICKS_PER_MS);
    }
    this.lastStamp = stamp;
    this.frames++;
    sink.sample(this.value(bytes, from + this.offset));
    sink.frame();
  }

  private begin(): void {
    this.use(this.configured);
    this.aligned = false;
    this.frames = 0;
    this.wrappedTicks = 0;
    this.seen = 0;
    this.acks = 0;
  }

  private use(channels: readonly number[]): void {
    this.size = shimmerFrameBytes(channels);
    this.offset = shimmerOffset(channels, this.signal);
  }

  private lose(): number {
    this.aligned = false;
    return -1;
  }

  /** Length of an inquiry reply or of a bare acknowledgement; 0: more bytes are needed; -1: neither. */
  private inquiryBytes(bytes: Uint8Array, from: number, to: number): number {
    const available = to - from;
    if (this.seen > INQUIRY_WITHIN_BYTES) return -1;
    if (available < 2) return 0;
    if (bytes[from + 1] !== INQUIRY_REPLY) return this.acks < MOST_ACKS ? 1 : -1;
    if (available < INQUIRY_HEAD_BYTES) return 0;
    const count = bytes[from + INQUIRY_COUNT]!;
    if (count === 0 || count > MOST_CHANNELS) return -1;
    if (available < INQUIRY_HEAD_BYTES + count) return 0;
    let hasSignal = false;
    for (let i = 0; i < count; i++) {
      const id = bytes[from + INQUIRY_HEAD_BYTES + i]!;
      if (!SHIMMER_CHANNELS.has(id)) return -1;
      if (id === this.signal) hasSignal = true;
    }
    return hasSignal ? INQUIRY_HEAD_BYTES + count : -1;
  }

  private learn(bytes: Uint8Array, from: number): void {
    const first = from + INQUIRY_HEAD_BYTES;
    this.use(Array.from(bytes.subarray(first, first + bytes[from + INQUIRY_COUNT]!)));
  }

  /** There is no checksum, and 00 is common in the data: frames are told by their even time steps. */
  private search(bytes: Uint8Array, from: number, to: number): number {
    const { size } = this;
    for (let i = 1; i < CONFIRM_FRAMES; i++) {
      if (from + i * size >= to) return 0;
      if (bytes[from + i * size] !== DATA) return -1;
    }
    if (to - from < CONFIRM_FRAMES * size) return 0;
    const first = stepTicks(stampAt(bytes, from), stampAt(bytes, from + size));
    const second = stepTicks(stampAt(bytes, from + size), stampAt(bytes, from + 2 * size));
    if (first < LEAST_PERIOD_TICKS || first > MOST_PERIOD_TICKS || Math.abs(first - second) > JITTER_TICKS) return -1;
    this.aligned = true;
    this.periodTicks = first;
    return size;
  }

  private follow(bytes: Uint8Array, from: number, to: number): number {
    const { size, periodTicks } = this;
    const step = stepTicks(this.lastStamp, stampAt(bytes, from));
    if (Math.abs(step - periodTicks) <= JITTER_TICKS) return size;
    // Frames are missing, or the bytes are not aligned any more: the next frame tells.
    if (to - from <= size) return 0;
    if (bytes[from + size] !== DATA) return this.lose();
    if (to - from < 2 * size) return 0;
    const next = stepTicks(stampAt(bytes, from), stampAt(bytes, from + size));
    return Math.abs(next - periodTicks) <= JITTER_TICKS ? size : this.lose();
  }

  private value(bytes: Uint8Array, at: number): number {
    const { bytes: width, bigEndian, signed } = this.layout;
    let value = 0;
    for (let i = 0; i < width; i++) value |= bytes[at + i]! << (8 * (bigEndian ? width - 1 - i : i));
    const unused = 32 - 8 * width;
    return signed ? (value << unused) >> unused : value;
  }
}

class Shimmer3Encoder extends IgnoringSink {
  private readonly channels: readonly number[];
  private readonly offset: number;
  private readonly layout: ShimmerChannel;
  private readonly range: { readonly min: number; readonly max: number };
  private readonly periodTicks: number;
  private stamp = 0;
  private started = false;

  constructor(
    private readonly write: (bytes: Uint8Array) => void,
    options: FormatOptions,
  ) {
    super();
    const { channels, signal, layout } = settings(options);
    const { range, rateHz } = carries(options).waveform!;
    this.channels = channels;
    this.offset = shimmerOffset(channels, signal);
    this.layout = layout;
    this.range = range;
    this.periodTicks = rateHz === null ? DEFAULT_PERIOD_TICKS : Math.round(TICKS_PER_SECOND / rateHz);
  }

  override lost(samples: number): void {
    this.stamp = (this.stamp + samples * this.periodTicks) % TICK_MODULUS;
  }

  override sample(value: number): void {
    const count = toField(value, this.range.min, this.range.max, 0);
    const frame = new Uint8Array(shimmerFrameBytes(this.channels));
    frame[0] = DATA;
    for (let i = 0; i < 3; i++) frame[1 + i] = (this.stamp >> (8 * i)) & 0xff;
    const { bytes, bigEndian } = this.layout;
    for (let i = 0; i < bytes; i++) {
      frame[this.offset + i] = (count >> (8 * (bigEndian ? bytes - 1 - i : i))) & 0xff;
    }
    this.stamp = (this.stamp + this.periodTicks) % TICK_MODULUS;
    this.write(this.started ? frame : Buffer.concat([this.answers(), frame]));
    this.started = true;
  }

  /** What comes before the data: the reply to the inquiry and the acknowledgement of the start. */
  private answers(): Uint8Array {
    const { channels, periodTicks } = this;
    const rate = [periodTicks & 0xff, periodTicks >> 8];
    return Uint8Array.of(ACK, INQUIRY_REPLY, ...rate, 0, 0, 0, 0, channels.length, 1, ...channels, ACK);
  }
}

/** Shimmer3 with LogAndStream: timed frames of the channels that are switched on; asked for by the host. */
export const shimmer3: Format = {
  id: 'shimmer3',
  title: 'Shimmer3 (Bluetooth serial port): ECG or pulse of one channel, with the time of each sample',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {
    channels: `ids in hex of the channels in a frame, if the device does not tell (${DEFAULT_CHANNELS})`,
    signal: `id in hex of the channel that is read: 1E, 1F, 21, 22 for ECG of 24 bits, 12 for a pulse probe (${DEFAULT_SIGNAL})`,
    gain: 'gain of the ECG amplifier: 1, 2, 3, 4, 6, 8, 12 (6)',
    kind: 'ecg, ppg (ecg, for the analog inputs ppg)',
    rateHz: 'samples per second, as the device is set (measured)',
  },
  carries,
  commands: () => ({ start: Uint8Array.of(INQUIRY, START), stop: Uint8Array.of(STOP) }),
  createDecoder: (sink, options) => new Shimmer3Decoder(sink, options),
  createEncoder: (write, options) => new Shimmer3Encoder(write, options),
};
