import { describe, expect, it } from 'vitest';
import type { Format, ReadingSink } from '../../src/domain/reading.js';
import { ad8232 } from '../../src/sensor/formats/ad8232.js';
import { FORMATS } from '../../src/sensor/formats/registry.js';
import { builtInScenario, makeScenario, type Scenario, singleRhythm } from '../../src/simulator/scenario.js';
import { type Pacing, SimulatedSensor, type TimedTruth } from '../../src/simulator/sensor.js';

/** A clock that goes on only when told to; timers are late by `lateMs`, as an event loop's are. */
class FakeTime implements Pacing {
  nowMs = 5000;
  lateMs = 0;
  private calls: { atMs: number; call: () => void }[] = [];

  monotonicMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, call: () => void): () => void {
    const entry = { atMs: this.nowMs + delayMs + this.lateMs, call };
    this.calls.push(entry);
    return () => {
      this.calls = this.calls.filter((other) => other !== entry);
    };
  }

  get timers(): number {
    return this.calls.length;
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      this.calls.sort((a, b) => a.atMs - b.atMs);
      const next = this.calls[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.calls.shift();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.call();
    }
    this.nowMs = untilMs;
  }

  /** The process was stopped: time goes on, no timer runs. */
  suspend(ms: number): void {
    this.nowMs += ms;
  }
}

interface Rig {
  readonly time: FakeTime;
  readonly sensor: SimulatedSensor;
  readonly lines: () => number;
}

function rig(speed = 1, scenario: Scenario = singleRhythm('sinus')): Rig {
  const time = new FakeTime();
  let lines = 0;
  const sensor = new SimulatedSensor({
    scenario,
    format: ad8232,
    options: { rateHz: 250 },
    seed: 1,
    speed,
    write: (bytes) => {
      for (const byte of bytes) if (byte === 0x0a) lines += 1;
    },
    pacing: time,
  });
  return { time, sensor, lines: () => lines };
}

describe('simulated sensor: pace', () => {
  it('sends at the rate of the device, without drift, however late its timers are', () => {
    const { time, sensor, lines } = rig();
    time.lateMs = 7;
    sensor.start();
    time.advance(900_000);
    expect(Math.abs(lines() - 250 * 900)).toBeLessThan(250 * 0.04);
  });

  it('sends small chunks, not bursts', () => {
    const { time, sensor, lines } = rig();
    sensor.start();
    time.advance(1000);
    for (let i = 0; i < 50; i++) {
      const before = lines();
      time.advance(20);
      expect(lines() - before).toBeLessThanOrEqual(6);
    }
  });

  it('runs at any speed', () => {
    const { time, sensor, lines } = rig(10);
    sensor.start();
    time.advance(10_000);
    expect(Math.abs(lines() - 250 * 100)).toBeLessThan(250);
    expect(() => rig(0)).toThrow(RangeError);
    expect(() => rig(Number.POSITIVE_INFINITY)).toThrow(RangeError);
  });

  it('does not send the bytes of an hour of suspend in one burst', () => {
    const { time, sensor, lines } = rig();
    sensor.start();
    time.advance(1000);
    const before = lines();
    time.suspend(3_600_000);
    time.advance(100);
    expect(lines() - before).toBeLessThan(50);
    time.advance(10_000);
    expect(Math.abs(lines() - before - 2525)).toBeLessThan(30);
  });

  it('is silent while stopped and goes on where it was', () => {
    const { time, sensor, lines } = rig();
    sensor.start();
    sensor.start();
    time.advance(2000);
    sensor.stop();
    expect(time.timers).toBe(0);
    const before = lines();
    const tMs = sensor.tMs;
    time.advance(60_000);
    expect(lines()).toBe(before);
    sensor.start();
    time.advance(1000);
    expect(Math.abs(sensor.tMs - tMs - 1000)).toBeLessThan(50);
  });

  it('tells the truth with the moment it came true, and the end of a scenario that stops', () => {
    const scenario = makeScenario({
      atEnd: 'stop',
      episodes: [
        { rhythm: 'sinus', seconds: 10 },
        { rhythm: 'af', seconds: 20 },
      ],
    });
    const { time, sensor, lines } = rig(2, scenario);
    const truths: TimedTruth[] = [];
    let ends = 0;
    const off = sensor.onTruth((truth) => truths.push(truth));
    sensor.onEnd(() => {
      ends += 1;
    });
    sensor.start();
    time.advance(60_000);
    const begin = truths.find((truth) => truth.event === 'begin')!;
    expect(begin.kind).toBe('atrial-fibrillation');
    expect(begin.atMonotonicMs).toBeCloseTo(5000 + begin.tMs / 2, 6);
    expect(ends).toBe(1);
    expect(time.timers).toBe(0);
    expect(Math.abs(lines() - 250 * 30)).toBeLessThan(250 * 1.5);
    const count = truths.length;
    off();
    sensor.start();
    time.advance(1000);
    expect(truths.length).toBe(count);
  });
});

/** Keeps what a decoder says. */
class Listener implements ReadingSink {
  readonly samples: number[] = [];
  readonly rrMs: number[] = [];
  readonly rates: number[] = [];
  readonly spo2Percent: number[] = [];
  readonly contacts: boolean[] = [];
  beats = 0;
  frames = 0;
  lostSamples = 0;
  readonly drops: string[] = [];

  sample(value: number): void {
    this.samples.push(value);
  }
  deviceTime(): void {}
  lost(samples: number): void {
    this.lostSamples += samples;
  }
  beat(): void {
    this.beats += 1;
  }
  rr(rrMs: number): void {
    this.rrMs.push(rrMs);
  }
  heartRate(hrBpm: number): void {
    this.rates.push(hrBpm);
  }
  spo2(percent: number): void {
    this.spo2Percent.push(percent);
  }
  contact(on: boolean): void {
    this.contacts.push(on);
  }
  battery(): void {}
  frame(): void {
    this.frames += 1;
  }
  dropped(reason: string): void {
    this.drops.push(reason);
  }
}

function listen(format: Format, scenario: Scenario, seconds: number, rateHz?: number): Listener {
  const listener = new Listener();
  const decoder = format.createDecoder(listener, {});
  const sensor = new SimulatedSensor({ scenario, format, seed: 3, rateHz, write: (bytes) => decoder.push(bytes) });
  // In paces of a chunk, as it goes over a wire.
  for (let tMs = 20; tMs <= seconds * 1000; tMs += 20) sensor.renderTo(tMs);
  return listener;
}

const usual = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

describe.each([...FORMATS.values()])('simulated sensor: what its decoder reads back: $id', (format) => {
  const carries = format.carries({});

  it('carries a sinus rhythm of 75 bpm whole', () => {
    const heard = listen(format, singleRhythm('sinus', { bpm: 75 }), 60);
    // A text format drops its first line, which may be cut.
    expect(heard.drops.filter((reason) => reason !== 'first-line')).toEqual([]);
    expect(heard.lostSamples).toBe(0);
    expect(heard.frames).toBeGreaterThan(50);
    if (carries.waveform) {
      const { range, rateHz } = carries.waveform;
      if (rateHz !== null) expect(Math.abs(heard.samples.length - 60 * rateHz)).toBeLessThan(0.01 * 60 * rateHz);
      const clipped = heard.samples.filter((value) => value <= range.min || value >= range.max).length;
      expect(clipped / heard.samples.length).toBeLessThan(0.001);
      // It uses the converter: neither a few counts nor a rail. The oldest oximeters have seven bits.
      const swing = Math.max(...heard.samples) - Math.min(...heard.samples);
      expect(swing).toBeGreaterThan(Math.min(50, 0.4 * (range.max - range.min)));
    }
    if (carries.beatFlags) expect(Math.abs(heard.beats - 75)).toBeLessThanOrEqual(3);
    if (carries.rr) {
      expect(Math.abs(heard.rrMs.length - 75)).toBeLessThanOrEqual(3);
      expect(Math.abs(usual(heard.rrMs) - 800)).toBeLessThan(40);
    }
    if (carries.heartRate) expect(Math.abs(usual(heard.rates) - 75)).toBeLessThanOrEqual(2);
    if (carries.spo2) expect(usual(heard.spo2Percent)).toBe(97);
    if (carries.contact) expect(heard.contacts.every((on) => on)).toBe(true);
  });

  it('says so when contact is lost, and has no rate then', () => {
    const scenario = makeScenario({
      episodes: [
        { rhythm: 'sinus', seconds: 20 },
        { rhythm: 'sinus', seconds: 20, contact: false },
        { rhythm: 'sinus', seconds: 20 },
      ],
    });
    const heard = listen(format, scenario, 60);
    if (carries.contact) {
      const off = heard.contacts.filter((on) => !on).length / heard.contacts.length;
      expect(off).toBeGreaterThan(0.3);
      expect(off).toBeLessThan(0.37);
      expect(heard.contacts.at(-1)).toBe(true);
    }
    // Formats that give a rate once a second or with each packet show the gap; others only speak at beats.
    if (carries.heartRate && !carries.rr && !carries.beatFlags) {
      expect(heard.rates.some((rate) => !(rate > 0))).toBe(true);
    }
    if (carries.rr) expect(Math.max(...heard.rrMs)).toBeLessThan(4000);
    expect(heard.drops.filter((reason) => reason !== 'first-line')).toEqual([]);
  });

  it('carries every built-in rhythm without a byte its decoder cannot use', () => {
    const heard = listen(format, builtInScenario('all')!, 600);
    expect(heard.drops.filter((reason) => reason !== 'first-line')).toEqual([]);
    expect(heard.lostSamples).toBe(0);
  });
});
