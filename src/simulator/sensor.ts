import type { Format, FormatOptions, ReadingSink, WaveformInfo } from '../domain/reading.js';
import { Heart } from './heart/heart.js';
import type { Scenario } from './scenario.js';
import type { Truth } from './truth.js';

/** The monotonic clock and the timer the sensor is paced by; a test passes its own. */
export interface Pacing {
  monotonicMs(): number;
  /** Calls back once after about `delayMs`; the returned function takes it back. */
  after(delayMs: number, call: () => void): () => void;
}

export const systemPacing: Pacing = {
  monotonicMs: () => performance.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
};

/** A truth with the moment of the pacing clock at which it came true. */
export interface TimedTruth extends Truth {
  readonly atMonotonicMs: number;
}

export interface SimulatedSensorOptions {
  readonly scenario: Scenario;
  /** The wire format it speaks; its encoder is the device's side. */
  readonly format: Format;
  readonly options?: FormatOptions;
  readonly seed?: number;
  /** Simulated seconds per real second; default 1. */
  readonly speed?: number;
  /** Samples per second where the format leaves it open; `options.rateHz` comes first, then this, then a usual value. */
  readonly rateHz?: number;
  /** Where the bytes go: one call per chunk. The bytes are the receiver's to keep. */
  readonly write: (bytes: Uint8Array) => void;
  readonly pacing?: Pacing;
  /** Real time between chunks, ms. */
  readonly chunkMs?: number;
}

/** A device's average is over this many beats (PulseSensor 10, Nonin 4 or 8). */
const AVERAGE_BEATS = 8;
/** Without a beat for this long a device shows no rate. */
const NO_RATE_MS = 4000;
/**
 * Farther behind than this the process had been stopped (suspended, debugged): a real device's bytes of that time are
 * gone, so they are not sent in one burst either.
 */
const FORGET_BEHIND_MS = 2000;
/** Devices without a waveform send one frame a second (BLE heart-rate straps, spot oximeters). */
const NUMERIC_RATE_HZ = 100;

/**
 * A virtual heart sensor: the synthetic heart, rendered through a wire format's encoder at the pace of a real device.
 * The pace comes from the sample count against the monotonic clock, so it does not drift.
 */
export class SimulatedSensor {
  /** Samples per second of simulated time. */
  readonly rateHz: number;
  private readonly heart: Heart;
  private readonly sink: ReadingSink;
  private readonly carries: ReturnType<Format['carries']>;
  private readonly pacing: Pacing;
  private readonly speed: number;
  private readonly chunkMs: number;
  private readonly truthListeners: ((truth: TimedTruth) => void)[] = [];
  private readonly endListeners: (() => void)[] = [];
  private readonly chunk = new ChunkBuffer();
  private readonly recentRr: number[] = [];
  private readonly rrToSend: number[] = [];
  private beatsToSend = 0;
  private lastBeatMs = Number.NEGATIVE_INFINITY;
  private shownBpm = 0;
  private nextSecondMs = 0;
  private startedAtMs = 0;
  private cancel: (() => void) | null = null;

  constructor(private readonly settings: SimulatedSensorOptions) {
    const options = settings.options ?? {};
    this.carries = settings.format.carries(options);
    this.pacing = settings.pacing ?? systemPacing;
    this.speed = settings.speed ?? 1;
    if (!(this.speed > 0 && Number.isFinite(this.speed))) {
      throw new RangeError(`speed must be a positive number, not ${settings.speed}`);
    }
    this.chunkMs = settings.chunkMs ?? 20;
    this.rateHz = sampleRate(this.carries.waveform, options, settings.rateHz);
    this.heart = new Heart({
      scenario: settings.scenario,
      seed: settings.seed ?? 1,
      rateHz: this.rateHz,
      waveform: this.carries.waveform?.kind ?? 'none',
      onTruth: (truth) => this.tellTruth(truth),
    });
    this.sink = settings.format.createEncoder((bytes) => this.chunk.append(bytes), options);
  }

  /** Simulated time rendered so far, ms. */
  get tMs(): number {
    return this.heart.tMs;
  }

  /** Ground truth as it comes true. Returns a function that ends the subscription. */
  onTruth(listener: (truth: TimedTruth) => void): () => void {
    this.truthListeners.push(listener);
    return () => {
      const index = this.truthListeners.indexOf(listener);
      if (index >= 0) this.truthListeners.splice(index, 1);
    };
  }

  /** Called once when a scenario that stops has ended. */
  onEnd(listener: () => void): void {
    this.endListeners.push(listener);
  }

  /** Begins, or goes on after `stop()` where the heart was left. */
  start(): void {
    if (this.cancel !== null) return;
    this.startedAtMs = this.pacing.monotonicMs() - this.heart.tMs / this.speed;
    this.schedule();
  }

  /** Switches the device off: no more bytes. */
  stop(): void {
    this.cancel?.();
    this.cancel = null;
  }

  /**
   * Renders up to a simulated time at once, without pacing: for files and tests. Returns false when the scenario ended.
   * Bytes go to `write` in chunks of at most about 64 kB.
   */
  renderTo(tMs: number): boolean {
    while (this.heart.tMs < tMs && !this.heart.ended) {
      this.renderStep();
      if (this.chunk.length >= 65_536) this.chunk.flush(this.settings.write);
    }
    this.chunk.flush(this.settings.write);
    return !this.heart.ended;
  }

  private schedule(): void {
    this.cancel = this.pacing.after(this.chunkMs, () => this.tick());
  }

  private tick(): void {
    const nowMs = this.pacing.monotonicMs();
    const behindMs = nowMs - this.startedAtMs - this.heart.tMs / this.speed;
    if (behindMs > FORGET_BEHIND_MS) this.startedAtMs += behindMs - this.chunkMs;
    this.cancel = null;
    this.schedule();
    if (this.renderTo((nowMs - this.startedAtMs) * this.speed)) return;
    this.stop();
    for (const listener of this.endListeners) listener();
  }

  private renderStep(): void {
    const { heart, sink } = this;
    heart.step();
    if (heart.ended) return;
    const second = heart.tMs >= this.nextSecondMs;
    if (second) this.nextSecondMs += 1000;
    this.takeBeat();
    if (this.carries.waveform === null) {
      if (second) this.sendNumbers();
      return;
    }
    sink.deviceTime(heart.tMs);
    if (this.carries.contact) sink.contact(heart.contact);
    this.sendBeatNow();
    if (second) {
      this.forgetOldRate();
      if (this.carries.spo2) sink.spo2(heart.contact ? heart.spo2 : Number.NaN);
      if (this.carries.battery) sink.battery(90);
    }
    // A device that knows its leads are off says so and sends no value.
    const silent = this.carries.contact && !heart.contact;
    sink.sample(silent ? Number.NaN : toDevice(heart.value, this.carries.waveform));
    sink.frame();
  }

  private takeBeat(): void {
    const { beat } = this.heart;
    if (beat === null) return;
    // The device's own interval: from noticed beat to noticed beat; none across a gap.
    const rrMs = beat.tMs - this.lastBeatMs;
    this.lastBeatMs = beat.tMs;
    this.beatsToSend += 1;
    if (rrMs > NO_RATE_MS) {
      this.recentRr.length = 0;
      return;
    }
    this.recentRr.push(rrMs);
    if (this.recentRr.length > AVERAGE_BEATS) this.recentRr.shift();
    this.rrToSend.push(rrMs);
    this.shownBpm = (60_000 * this.recentRr.length) / this.recentRr.reduce((sum, rr) => sum + rr, 0);
  }

  private sendBeatNow(): void {
    if (this.beatsToSend === 0) return;
    if (this.carries.beatFlags) this.sink.beat();
    if (this.carries.heartRate) this.sink.heartRate(this.rateShown());
    if (this.carries.rr) for (const rr of this.rrToSend) this.sink.rr(Math.round(rr));
    this.beatsToSend = 0;
    this.rrToSend.length = 0;
  }

  private forgetOldRate(): void {
    if (this.shownBpm === 0 || this.heart.tMs - this.lastBeatMs < NO_RATE_MS) return;
    this.shownBpm = 0;
    this.recentRr.length = 0;
    if (this.carries.heartRate) this.sink.heartRate(0);
  }

  /** One frame of a device that sends numbers once a second, with the intervals since the last frame. */
  private sendNumbers(): void {
    const { sink, heart, carries } = this;
    if (heart.tMs - this.lastBeatMs >= NO_RATE_MS) {
      this.shownBpm = 0;
      this.recentRr.length = 0;
    }
    sink.deviceTime(heart.tMs);
    if (carries.contact) sink.contact(heart.contact);
    if (carries.heartRate) sink.heartRate(heart.contact ? this.rateShown() : 0);
    if (carries.spo2) sink.spo2(heart.contact ? heart.spo2 : Number.NaN);
    if (carries.battery) sink.battery(90);
    if (carries.beatFlags) for (let i = 0; i < this.beatsToSend; i++) sink.beat();
    if (carries.rr) for (const rr of this.rrToSend) sink.rr(Math.round(rr));
    this.beatsToSend = 0;
    this.rrToSend.length = 0;
    sink.frame();
  }

  private rateShown(): number {
    return Math.round(this.shownBpm);
  }

  private tellTruth(truth: Truth): void {
    const timed = { ...truth, atMonotonicMs: this.startedAtMs + truth.tMs / this.speed };
    for (const listener of this.truthListeners) listener(timed);
  }
}

/** Samples per second where neither the format nor the operator says: what 9600 baud text carries; 50 for pulse. */
function sampleRate(waveform: WaveformInfo | null, options: FormatOptions, wanted: number | undefined): number {
  if (waveform === null) return NUMERIC_RATE_HZ;
  if (waveform.rateHz !== null) return waveform.rateHz;
  const configured = options.rateHz;
  if (typeof configured === 'number' && configured > 0) return configured;
  return wanted ?? (waveform.kind === 'ecg' ? 200 : 50);
}

/** From mV (or pleth) to what the device's converter yields, clipped at its rails. */
function toDevice(value: number, waveform: WaveformInfo): number {
  const { nominal, range } = waveform;
  const raw = waveform.unit === 'mV' ? value : Math.round(nominal.offset + nominal.perUnit * value);
  return Math.min(range.max, Math.max(range.min, raw));
}

/** Gathers an encoder's many small writes into one chunk. Grows to what a chunk needs and is used again. */
class ChunkBuffer {
  length = 0;
  private buffer = new Uint8Array(4096);

  append(bytes: Uint8Array): void {
    const needed = this.length + bytes.length;
    if (needed > this.buffer.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.buffer.length));
      grown.set(this.buffer.subarray(0, this.length));
      this.buffer = grown;
    }
    this.buffer.set(bytes, this.length);
    this.length = needed;
  }

  flush(write: (bytes: Uint8Array) => void): void {
    if (this.length === 0) return;
    const bytes = this.buffer.slice(0, this.length);
    this.length = 0;
    write(bytes);
  }
}
