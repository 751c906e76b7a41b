import type { StreamMs } from './clock.js';

export type WaveformKind = 'ecg' | 'ppg';
export type WaveformUnit = 'mV' | 'count';

/** What one waveform of a format looks like. */
export interface WaveformInfo {
  readonly kind: WaveformKind;
  /** Samples per second; null where the device has no fixed rate and it must be configured or measured. */
  readonly rateHz: number | null;
  readonly unit: WaveformUnit;
  /** For `count`: the value at rest and counts per millivolt (ECG) or per unit of pleth (PPG), as the device is usually built. */
  readonly nominal: { readonly offset: number; readonly perUnit: number };
  /** Smallest and largest value the device can send; at these values the signal is clipped. */
  readonly range: { readonly min: number; readonly max: number };
}

/** Why bytes were not used. The words appear as the `reason` label of `slothd_frames_dropped_total`. */
export type DropReason =
  | 'checksum'
  | 'framing'
  | 'too-long'
  | 'out-of-range'
  | 'unknown'
  | 'first-line'
  | 'not-a-number'
  | 'sequence';

/**
 * Where a decoder puts what it reads, in wire order, synchronously; and what an encoder accepts, so that an encoder
 * joined to its decoder is the identity. Plain calls with numbers: the waveform path allocates nothing.
 */
export interface ReadingSink {
  /** One waveform sample, in the unit of the format's `WaveformInfo`. NaN: the device says it has no value here. */
  sample(value: number): void;
  /** The device's own clock (ms, any zero) at the next reading, where it sends one. */
  deviceTime(tMs: number): void;
  /** The device's counter jumped: this many samples never arrived. */
  lost(samples: number): void;
  /** The device flags a heart beat at the sample that comes next (or now, where there is no waveform). */
  beat(): void;
  /** A beat-to-beat interval the device measured, ms. */
  rr(rrMs: number): void;
  /** The device's own heart rate. 0 or NaN: it has none at the moment. */
  heartRate(hrBpm: number): void;
  spo2(percent: number): void;
  /** Whether the device says it touches the body (leads on, finger in). Sent on every frame that carries it. */
  contact(on: boolean): void;
  battery(percent: number): void;
  /** One valid frame ended here: this is what the silence watch waits for. */
  frame(): void;
  dropped(reason: DropReason, bytes: number): void;
}

/** Settings of one sensor's format, from config (`board`, `adcBits`, `rateHz` ...). */
export type FormatOptions = Readonly<Record<string, string | number | boolean>>;

export interface Decoder {
  /** Takes any chunk of the byte stream. Never throws, whatever the bytes; output does not depend on the chunking. */
  push(chunk: Uint8Array): void;
  /** Forget any half frame: the link was reopened. */
  reset(): void;
}

export interface SerialSettings {
  readonly baudRate: number;
  readonly dataBits: 7 | 8;
  readonly parity: 'none' | 'odd' | 'even';
  readonly stopBits: 1 | 2;
}

/** Bytes the host must send for this device to speak. */
export interface HostCommands {
  readonly start?: Uint8Array;
  readonly stop?: Uint8Array;
  readonly keepAlive?: { readonly bytes: Uint8Array; readonly everyMs: number };
}

/** What a stream may carry; rules and pipeline are built from it. */
export interface Carries {
  readonly waveform: WaveformInfo | null;
  /** The device flags beats itself. */
  readonly beatFlags: boolean;
  readonly rr: boolean;
  readonly heartRate: boolean;
  readonly spo2: boolean;
  readonly contact: boolean;
  readonly battery: boolean;
}

/** One wire format: everything the daemon and the simulator need to speak it. One file each under sensor/formats/. */
export interface Format {
  readonly id: string;
  /** One line for a person: device family and mode. */
  readonly title: string;
  readonly serial: SerialSettings;
  /** Port settings where they depend on the options (a family of boards); callers ask it first and `serial` else. */
  serialFor?(options: FormatOptions): SerialSettings;
  /** No valid frame for this long means the link is dead: 5 s for waveforms, 15 s for 1 Hz formats. */
  readonly silenceMs: number;
  /** Options this format understands, for `check` and for the docs: name -> meaning with default. */
  readonly options: Readonly<Record<string, string>>;
  carries(options: FormatOptions): Carries;
  commands?(options: FormatOptions): HostCommands;
  createDecoder(sink: ReadingSink, options: FormatOptions): Decoder;
  /** The device's side: what is put into the returned sink comes out as the device's bytes. */
  createEncoder(write: (bytes: Uint8Array) => void, options: FormatOptions): ReadingSink;
}

/** A stretch of bytes as it came off a link. */
export interface Arrival {
  readonly bytes: Uint8Array;
  readonly arrivedAtMs: StreamMs;
}
