import type { Decoder, Format, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { SequenceCounter } from './sequence-counter.js';
import { u16, ZephyrFramer, type ZephyrRule, zephyrFrame } from './zephyr-frame.js';

/* Zephyr HxM Bluetooth: packet 26 hex, offsets in its payload. */
const ID = 0x26;
const PAYLOAD_BYTES = 55;
const BATTERY = 8;
const HEART_RATE = 9;
const BEAT_NUMBER = 10;
const STAMPS = 11;
const STAMP_COUNT = 15;
const STAMP_MODULUS = 65_536;
const BEAT_MODULUS = 256;
/** Firmware and hardware: the numbers of a device whose frames were captured. */
const IDENTITY = [0x1a, 0x00, 0x31, 0x66, 0x50, 0x00, 0x31, 0x64] as const;

class HxmDecoder implements Decoder, ZephyrRule {
  readonly others = false;
  private readonly framer: ZephyrFramer;
  private readonly beats = new SequenceCounter(BEAT_MODULUS);

  constructor(private readonly sink: ReadingSink) {
    this.framer = new ZephyrFramer(this, (reason, bytes) => sink.dropped(reason, bytes));
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
    this.beats.reset();
    this.started = false;
  }

  lengthOf(id: number): number | null {
    return id === ID ? PAYLOAD_BYTES : null;
  }

  packet(_id: number, bytes: Uint8Array, payload: number): void {
    const { sink } = this;
    const battery = bytes[payload + BATTERY]!;
    if (battery <= 100) sink.battery(battery);
    sink.heartRate(bytes[payload + HEART_RATE]!);
    const known = this.started;
    this.started = true;
    const fresh = this.beats.missing(bytes[payload + BEAT_NUMBER]!) + 1;
    // The first frame after opening holds beats of before; only from the second on is it known which ones are new.
    if (known && fresh > 0) this.intervals(bytes, payload + STAMPS, fresh);
    sink.frame();
  }

  private started = false;

  /** Stamps come newest first; intervals go out oldest first. A frame shows 14 of them: older ones are gone. */
  private intervals(bytes: Uint8Array, stamps: number, fresh: number): void {
    const count = Math.min(fresh, STAMP_COUNT - 1);
    if (fresh > count) this.sink.lost(fresh - count);
    for (let i = count - 1; i >= 0; i--) {
      const rrMs = (u16(bytes, stamps + 2 * i) - u16(bytes, stamps + 2 * i + 2) + STAMP_MODULUS) % STAMP_MODULUS;
      if (rrMs > 0) this.sink.rr(rrMs);
    }
  }
}

class HxmEncoder extends IgnoringSink {
  private readonly stamps: number[] = Array.from({ length: STAMP_COUNT }, () => 0);
  private beatNumber = 0;
  private rate = 0;
  private percent = 0;
  private started = false;

  constructor(private readonly write: (bytes: Uint8Array) => void) {
    super();
  }

  override heartRate(hrBpm: number): void {
    this.rate = toField(hrBpm, 0, 255, 0);
  }

  override battery(percent: number): void {
    this.percent = toField(percent, 0, 100, 0);
  }

  override rr(rrMs: number): void {
    this.start();
    this.stamps.pop();
    this.stamps.unshift((this.stamps[0]! + Math.round(rrMs)) % STAMP_MODULUS);
    this.beatNumber = (this.beatNumber + 1) % BEAT_MODULUS;
  }

  override lost(samples: number): void {
    this.start();
    this.beatNumber = (this.beatNumber + samples) % BEAT_MODULUS;
  }

  override frame(): void {
    this.start();
    this.send();
  }

  /** One frame before the first beat: a reader needs it to know which beats are new. */
  private start(): void {
    if (!this.started) this.send();
    this.started = true;
  }

  private send(): void {
    const payload = new Uint8Array(PAYLOAD_BYTES);
    payload.set(IDENTITY);
    payload[BATTERY] = this.percent;
    payload[HEART_RATE] = this.rate;
    payload[BEAT_NUMBER] = this.beatNumber;
    this.stamps.forEach((stamp, i) => {
      payload[STAMPS + 2 * i] = stamp & 0xff;
      payload[STAMPS + 2 * i + 1] = stamp >> 8;
    });
    this.write(zephyrFrame(ID, payload));
  }
}

/** Zephyr HxM: a frame a second with the rate and the times of the last 15 beats, under a CRC. */
export const zephyrHxm: Format = {
  id: 'zephyr-hxm',
  title: 'Zephyr HxM chest strap (Bluetooth serial port): rate and times of the last 15 beats',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 15_000,
  options: {},
  carries: () => ({
    waveform: null,
    beatFlags: false,
    rr: true,
    heartRate: true,
    spo2: false,
    contact: false,
    battery: true,
  }),
  createDecoder: (sink) => new HxmDecoder(sink),
  createEncoder: (write) => new HxmEncoder(write),
};
