import type { Carries, Decoder, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { numberOption } from './options.js';
import { SequenceCounter } from './sequence-counter.js';
import {
  BODY,
  ECG,
  ECG_BYTES,
  ECG_MAX,
  ECG_MID,
  ECG_RATE_HZ,
  ECG_SAMPLES,
  GENERAL,
  GENERAL_BYTES,
  GENERAL_STATUS,
  LIFE_SIGN,
  NO_VALUE,
  PACKET_BYTES,
  packetTimeMs,
  RR,
  RR_BYTES,
  RR_VALUES,
  SET_ECG,
  SET_GENERAL,
  SET_RR,
  SUMMARY,
  tenBits,
  Vitals,
} from './zephyr-bioharness-packets.js';
import { u16, ZephyrFramer, type ZephyrRule, zephyrFrame } from './zephyr-frame.js';

const COUNTER_MODULUS = 256;
/** The link times out some seconds after the last life-sign. */
const LIFE_SIGN_MS = 3000;
const LONGEST_RR_MS = 32_767;
const WORN = 0x8000;

function carries(options: FormatOptions): Carries {
  return {
    waveform: {
      kind: 'ecg',
      rateHz: ECG_RATE_HZ,
      unit: 'count',
      // No document at hand states the scale; beats do not depend on it.
      nominal: { offset: ECG_MID, perUnit: numberOption(options, 'countsPerMv', 40, 1, 1000) },
      range: { min: 0, max: ECG_MAX },
    },
    beatFlags: false,
    rr: true,
    heartRate: true,
    spo2: false,
    contact: true,
    battery: true,
  };
}

class BioHarnessDecoder implements Decoder, ZephyrRule {
  readonly others = true;
  private readonly framer: ZephyrFramer;
  private readonly vitals = new Vitals();
  private readonly ecgCounter = new SequenceCounter(COUNTER_MODULUS);
  private readonly rrCounter = new SequenceCounter(COUNTER_MODULUS);
  /** Last value of the R-R packets, its sign with it; NaN where the next one is not known to be new. */
  private lastRr = Number.NaN;

  constructor(private readonly sink: ReadingSink) {
    this.framer = new ZephyrFramer(this, (reason, bytes) => sink.dropped(reason, bytes));
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
    this.ecgCounter.reset();
    this.rrCounter.reset();
    this.lastRr = Number.NaN;
  }

  lengthOf(id: number): number | null {
    return PACKET_BYTES.get(id) ?? null;
  }

  packet(id: number, bytes: Uint8Array, payload: number): void {
    const { sink, vitals } = this;
    if (id === ECG) {
      this.ecg(bytes, payload);
    } else if (id === RR) {
      this.intervals(bytes, payload);
    } else if (id === GENERAL) {
      vitals.general(bytes, payload);
      this.tellVitals();
    } else if (id === SUMMARY) {
      if (!vitals.summary(bytes, payload)) {
        sink.dropped('unknown', 0);
        return;
      }
      this.tellVitals();
    }
    sink.frame();
  }

  private ecg(bytes: Uint8Array, payload: number): void {
    const { sink } = this;
    const missing = this.ecgCounter.missing(bytes[payload]!);
    if (missing > 0) sink.lost(missing * ECG_SAMPLES);
    sink.deviceTime(packetTimeMs(bytes, payload));
    for (let i = 0; i < ECG_SAMPLES; i++) sink.sample(tenBits(bytes, payload + BODY, i));
  }

  /** The interval of the latest beat is repeated every 56 ms; each new beat flips its sign. 0: none since the start. */
  private intervals(bytes: Uint8Array, payload: number): void {
    if (this.rrCounter.missing(bytes[payload]!) > 0) this.lastRr = Number.NaN;
    for (let i = 0; i < RR_VALUES; i++) {
      const value = (u16(bytes, payload + BODY + 2 * i) << 16) >> 16;
      const last = this.lastRr;
      const isNew = value !== 0 && !Number.isNaN(last) && (last === 0 || value > 0 !== last > 0);
      if (isNew) this.sink.rr(Math.abs(value));
      this.lastRr = value;
    }
  }

  private tellVitals(): void {
    const { sink, vitals } = this;
    sink.contact(vitals.worn);
    sink.heartRate(vitals.hrBpm);
    if (!Number.isNaN(vitals.batteryPercent)) sink.battery(vitals.batteryPercent);
  }
}

class BioHarnessEncoder extends IgnoringSink {
  private readonly pending: number[] = [];
  private readonly rrMs: number[] = [];
  private readonly counters = new Map<number, number>();
  private signedRr = 0;
  private rate = NO_VALUE;
  private percent = 0;
  private on = true;
  private timeMs = 0;
  private vitalsDue = true;
  private sinceVitals = 0;

  constructor(private readonly write: (bytes: Uint8Array) => void) {
    super();
  }

  override deviceTime(tMs: number): void {
    if (this.pending.length === 0) this.timeMs = tMs;
  }

  override lost(samples: number): void {
    this.counters.set(ECG, (this.counters.get(ECG) ?? 0) + Math.floor(samples / ECG_SAMPLES));
  }

  override contact(on: boolean): void {
    this.vitalsDue ||= on !== this.on;
    this.on = on;
  }

  override heartRate(hrBpm: number): void {
    const rate = hrBpm === 0 ? NO_VALUE : toField(hrBpm, 0, 255, NO_VALUE);
    this.vitalsDue ||= rate !== this.rate;
    this.rate = rate;
  }

  override battery(percent: number): void {
    const rounded = toField(percent, 0, 100, 0);
    this.vitalsDue ||= rounded !== this.percent;
    this.percent = rounded;
  }

  override rr(rrMs: number): void {
    this.rrMs.push(toField(rrMs, 1, LONGEST_RR_MS, 1));
  }

  override sample(value: number): void {
    if (this.vitalsDue || this.sinceVitals >= ECG_RATE_HZ) this.sendGeneral();
    this.sinceVitals++;
    this.pending.push(toField(value, 0, ECG_MAX, ECG_MID));
    if (this.pending.length < ECG_SAMPLES) return;
    this.sendEcg();
    // The first packet tells a reader where the signs begin.
    if (this.rrMs.length > 0) this.sendRr();
  }

  private sendGeneral(): void {
    this.vitalsDue = false;
    this.sinceVitals = 0;
    const payload = this.payload(GENERAL, GENERAL_BYTES);
    payload.fill(0xff, BODY);
    payload[BODY] = (this.on ? this.rate : NO_VALUE) & 0xff;
    payload[BODY + 1] = (this.on ? this.rate : NO_VALUE) >> 8;
    payload[GENERAL_STATUS] = this.percent;
    payload[GENERAL_STATUS + 1] = this.on ? WORN >> 8 : 0;
    this.write(zephyrFrame(GENERAL, payload));
  }

  private sendEcg(): void {
    const payload = this.payload(ECG, ECG_BYTES);
    this.pending.forEach((value, i) => {
      for (let bit = 0; bit < 10; bit++) {
        const at = 10 * i + bit;
        payload[BODY + (at >> 3)]! |= ((value >> bit) & 1) << (at & 7);
      }
    });
    this.pending.length = 0;
    this.write(zephyrFrame(ECG, payload));
  }

  private sendRr(): void {
    const payload = this.payload(RR, RR_BYTES);
    for (let i = 0; i < RR_VALUES; i++) {
      const next = i > 0 ? this.rrMs.shift() : undefined;
      if (next !== undefined) this.signedRr = this.signedRr > 0 ? -next : next;
      payload[BODY + 2 * i] = this.signedRr & 0xff;
      payload[BODY + 2 * i + 1] = (this.signedRr >> 8) & 0xff;
    }
    this.write(zephyrFrame(RR, payload));
  }

  /** An empty payload with its counter and the time. */
  private payload(id: number, length: number): Uint8Array {
    const counter = this.counters.get(id) ?? 0;
    this.counters.set(id, counter + 1);
    const payload = new Uint8Array(length);
    const time = new Date(this.timeMs);
    const year = time.getUTCFullYear();
    const msOfDay = Math.floor(this.timeMs) - Date.UTC(year, time.getUTCMonth(), time.getUTCDate());
    payload.set([counter & 0xff, year & 0xff, year >> 8, time.getUTCMonth() + 1, time.getUTCDate()]);
    for (let i = 0; i < 4; i++) payload[5 + i] = (msOfDay >> (8 * i)) & 0xff;
    return payload;
  }
}

function switchPackets(on: 0 | 1): Uint8Array {
  return Buffer.concat([SET_GENERAL, SET_ECG, SET_RR].map((command) => zephyrFrame(command, [on])));
}

/** Zephyr BioHarness 3: ECG at 250 Hz, intervals and a General packet a second; asked for, and kept alive by the host. */
export const zephyrBioharness: Format = {
  id: 'zephyr-bioharness',
  title: 'Zephyr BioHarness (Bluetooth serial port): ECG at 250 Hz, intervals, rate, worn or not, battery',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {
    countsPerMv: 'ECG counts per millivolt, for what is shown; no document states it (40)',
  },
  carries,
  commands: () => ({
    start: switchPackets(1),
    stop: switchPackets(0),
    keepAlive: { bytes: zephyrFrame(LIFE_SIGN, []), everyMs: LIFE_SIGN_MS },
  }),
  createDecoder: (sink) => new BioHarnessDecoder(sink),
  createEncoder: (write) => new BioHarnessEncoder(write),
};
