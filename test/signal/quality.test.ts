import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Quality } from '../../src/domain/quality.js';
import { readRecord } from '../../src/lab/wfdb/index.js';
import { EcgQuality } from '../../src/signal/quality.js';

let seed = 3;
/** About normal, deviation 1. */
function gauss(): number {
  let sum = -6;
  for (let at = 0; at < 12; at++) {
    seed = (seed * 16807) % 2147483647;
    sum += seed / 2147483647;
  }
  return sum;
}

/** A heart of 75 a minute as sums of bumps, 1 mV, with 5 uV of amplifier noise. */
function heart(t: number, beatsPerMinute = 75): number {
  const phase = ((t * beatsPerMinute) / 60) % 1;
  const bump = (at: number, height: number, width: number) => height * Math.exp(-(((phase - at) / width) ** 2));
  return (
    bump(0.3, 0.12, 0.03) + bump(0.45, 1, 0.012) - bump(0.475, 0.25, 0.012) + bump(0.75, 0.25, 0.06) + 0.005 * gauss()
  );
}

const hum = (t: number, hz = 50) => Math.sin(2 * Math.PI * hz * t);

class Bench {
  readonly changes: Quality[] = [];
  readonly gate: EcgQuality;
  t = 0;

  constructor(
    readonly rateHz = 250,
    range?: { min: number; max: number },
  ) {
    this.gate = new EcgQuality({ rateHz, range, onChange: (quality) => this.changes.push(quality) });
  }

  get now() {
    const { state, reasons } = this.changes.at(-1) ?? { state: undefined, reasons: [] };
    return [state, ...reasons].join(' ');
  }

  run(seconds: number, signal: (t: number) => number): this {
    const samples = Math.round(seconds * this.rateHz);
    for (let at = 0; at < samples; at++) {
      this.gate.push(signal(this.t), this.t * 1000);
      this.t += 1 / this.rateHz;
    }
    return this;
  }
}

describe('EcgQuality', () => {
  it.each([100, 125, 250, 360, 500, 1000])(
    'calls a clean heart good after a start, and nothing else, at %i Hz',
    (rateHz) => {
      const bench = new Bench(rateHz).run(30, (t) => heart(t));
      expect(bench.changes.map((quality) => quality.state)).toEqual(['none', 'good']);
      expect(bench.changes[0]?.reasons).toEqual(['starting']);
      expect(bench.changes[1]?.tMs).toBeLessThan(4500);
    },
  );

  it('does not care about unit and offset', () => {
    for (const [gain, offset] of [
      [300, 512],
      [2e5, -4e6],
      [1, -5.12],
    ] as const)
      expect(new Bench().run(30, (t) => offset + gain * heart(t)).now).toBe('good');
  });

  it.each([
    ['a slow heart', (t: number) => heart(t, 32)],
    ['a fast heart', (t: number) => heart(t, 200)],
    ['some baseline wander', (t: number) => heart(t) + 0.4 * Math.sin(t * 1.5)],
    ['a little hum', (t: number) => heart(t) + 0.05 * hum(t)],
    ['ventricular flutter', (t: number) => 0.8 * Math.sin(2 * Math.PI * 4.5 * t) + 0.01 * gauss()],
    ['wide complexes', (t: number) => 1.5 * Math.sin(2 * Math.PI * 3 * t) ** 3 + 0.01 * gauss()],
  ])('leaves %s alone', (_, signal) => {
    const bench = new Bench().run(20, (t) => heart(t)).run(30, signal);
    expect(bench.changes.map((quality) => quality.state)).toEqual(['none', 'good']);
  });

  it.each([
    ['mains', 'hum at 50 Hz', (t: number) => heart(t) + 0.6 * hum(t), 250],
    ['mains', 'hum at 60 Hz', (t: number) => heart(t) + 0.6 * hum(t, 60), 360],
    ['mains', 'hum a little off', (t: number) => heart(t) + 0.6 * hum(t, 50.4), 500],
    ['mains', 'hum folded to Nyquist', (t: number) => heart(t) + 0.6 * hum(t, 49.9), 100],
    ['noise', 'muscle', (t: number) => heart(t) + 0.5 * gauss(), 250],
  ])('calls %s: %s', (reason, _, signal, rateHz) => {
    const bench = new Bench(rateHz).run(20, (t) => heart(t)).run(10, signal);
    expect(bench.now.split(' ')).toContain(reason);
    expect(bench.now).toMatch(/^poor/);
    bench.run(15, (t) => heart(t));
    expect(bench.now).toBe('good');
  });

  it.each([
    ['mains', 'hum and no heart', (t: number) => 0.3 * hum(t)],
    ['noise', 'hiss and no heart', () => 0.1 * gauss()],
    ['flat', 'nothing', () => 512],
    ['flat', 'one step of the converter', (t: number) => 512 + (Math.floor(t * 3) % 2)],
    ['not-a-number', 'no values', () => Number.NaN],
  ])('says %s from the start: %s, for a minute', (reason, _, signal) => {
    const bench = new Bench().run(60, signal);
    expect(bench.now).toBe(`poor ${reason}`);
    expect(bench.changes.some((quality) => quality.state === 'good')).toBe(false);
  });

  it('knows a large slow drift as baseline', () => {
    const bench = new Bench().run(20, (t) => heart(t)).run(20, (t) => heart(t) + 10 * Math.sin(t * 2));
    expect(bench.now).toBe('poor baseline');
  });

  it('sees a signal at the rail, and not a tall beat that touches it', () => {
    const range = { min: 0, max: 1023 };
    const cut = (value: number) => Math.max(0, Math.min(1023, Math.round(value)));
    const bench = new Bench(250, range).run(20, (t) => cut(500 + 600 * heart(t)));
    expect(bench.now).toBe('good');
    bench.run(5, (t) => cut(1100 + 200 * heart(t) * 0));
    expect(bench.now).toMatch(/^poor .*clipped/);
    bench.run(15, (t) => cut(500 + 400 * heart(t)));
    expect(bench.now).toBe('good');
  });

  it('keeps judging a pause and an asystole with a live amplifier good', () => {
    const bench = new Bench().run(60, (t) => heart(t)).run(8, () => 0.005 * gauss());
    expect(bench.now).toBe('good');
  });

  it('does not storm: one bad second changes nothing', () => {
    const bench = new Bench().run(20, (t) => heart(t));
    for (let at = 0; at < 10; at++) bench.run(0.2, (t) => heart(t) + 0.3 * gauss()).run(9.8, (t) => heart(t));
    expect(bench.changes).toHaveLength(2);
  });

  it('believes the device on contact, at once and both ways', () => {
    const bench = new Bench().run(10, (t) => heart(t));
    bench.gate.contact(true, 10_000);
    expect(bench.now).toBe('good');
    bench.gate.contact(false, 10_001);
    expect(bench.changes.at(-1)).toEqual({ tMs: 10_001, state: 'contact-off', reasons: ['leads-off'] });
    bench.run(10, () => 3);
    expect(bench.now).toBe('contact-off leads-off');
    bench.gate.contact(true, 20_000);
    expect(bench.now).toBe('none starting');
    bench.run(10, (t) => heart(t));
    expect(bench.now).toBe('good');
  });

  it('does not trust the second after a gap, nor silence', () => {
    const bench = new Bench().run(10, (t) => heart(t));
    bench.gate.gap(10_000);
    expect(bench.now).toBe('poor gap');
    bench.run(1.5, (t) => heart(t));
    expect(bench.now).toBe('good');
    bench.gate.tick(bench.t * 1000 + 1500);
    expect(bench.now).toBe('good');
    bench.gate.tick(bench.t * 1000 + 2500);
    expect(bench.now).toBe('none gap');
    bench.t += 60;
    bench.run(10, (t) => heart(t));
    expect(bench.now).toBe('good');
  });
});

describe('EcgQuality where an electrode lets go', () => {
  /** From `fromS` on: the line jumps by `jump`, creeps back with a time constant, and `left` of the heart is drawn. */
  const popped =
    (fromS: number, { jump = 2.5, backS = 2, left = 0.06 } = {}) =>
    (t: number) =>
      left * heart(t) + jump * Math.exp((fromS - t) / backS) + 0.005 * gauss();
  const upTo = (bench: Bench, endS: number, signal: (t: number) => number) => bench.run(endS - bench.t, signal);
  const beating = () => upTo(new Bench(), 20, (t) => heart(t));
  const word = (bench: Bench) => bench.changes.map(({ state }) => state).join(' ');

  it.each([
    ['up', {}],
    ['down, and soon back', { jump: -2, backS: 0.8 }],
    ['with nothing left of the heart', { left: 0 }],
  ])('says so within three seconds, and takes it back with the first beats: %s', (_, options) => {
    const bench = upTo(beating(), 27, popped(20, options));
    expect(bench.now).toBe('contact-off leads-off');
    expect(bench.changes.at(-1)!.tMs).toBeLessThan(23_000);
    upTo(bench, 35, (t) => heart(t));
    expect(word(bench)).toMatch(/^none good contact-off (poor )?good$/);
  });

  it('does not say so for ever: after ten seconds it is a line without a heart', () => {
    const bench = upTo(beating(), 40, popped(20, { left: 0 }));
    const back = bench.changes.find(({ tMs, state }) => state !== 'contact-off' && tMs > 23_000);
    expect(back?.tMs).toBeGreaterThan(29_000);
    expect(back?.tMs).toBeLessThan(31_500);
    expect(bench.now).toBe('good');
  });

  it.each([
    ['a heart that stops', popped(20, { jump: 0, left: 0 })],
    ['one that stops while the baseline sways', (t: number) => 0.2 * Math.sin(t * 1.5) + 0.005 * gauss()],
    ['one that stops, the line staying where it jumped', popped(20, { backS: 1e6, left: 0 })],
    ['P waves alone', (t: number) => 0.12 * Math.exp(-((((t * 1.25) % 1) - 0.3) ** 2) / 0.0009) + 0.005 * gauss()],
  ])('leaves to asystole: %s', (_, signal) => {
    expect(word(upTo(beating(), 40, signal))).not.toContain('contact-off');
  });

  it.each([
    ['tall', 1.8, 0.16],
    ['deep', -1.8, 0.16],
    ['tall and narrow', 1.5, 0.05],
  ])('leaves to asystole: a heart that stops after a T wave that is %s', (_, height, width) => {
    // As where potassium is high, which stops hearts. 50 beats a minute, R at 0.54 s of each 1.2 s, T 0.3 s later.
    const tall = (t: number) => heart(t, 50) + height * Math.exp(-((((t % 1.2) - 0.84) / width) ** 2));
    const bench = upTo(
      upTo(new Bench(), 20.35, tall),
      21,
      (t) => height * Math.exp(-(((t - 19.2 - 0.84) / width) ** 2)),
    );
    expect(word(upTo(bench, 40, () => 0.005 * gauss()))).not.toContain('contact-off');
  });

  it('does not call so what follows fibrillation: a shock makes the line jump, too', () => {
    const bench = upTo(beating(), 32, (t) => 0.8 * Math.sin(2 * Math.PI * 4.5 * t) + 0.01 * gauss());
    expect(word(upTo(bench, 45, popped(32, { left: 0 })))).not.toContain('contact-off');
  });

  it('starts again where the device tells of contact', () => {
    const bench = upTo(beating(), 24, popped(20));
    bench.gate.contact(false, bench.t * 1000);
    bench.gate.contact(true, bench.t * 1000);
    expect(bench.now).toBe('none starting');
    expect(upTo(bench, 32, (t) => heart(t)).now).toBe('good');
  });
});

const DATA = process.env.SLOTHD_DATA ?? '/nowhere';

/** Share of seconds that are good, of those that were judged. */
async function goodShare(path: string, fromS = 0, toS = Number.POSITIVE_INFINITY, signal = 0): Promise<number> {
  const record = await readRecord(join(DATA, path));
  const { samples } = record.signals[signal]!;
  let state = 'none';
  const gate = new EcgQuality({ rateHz: record.rateHz, onChange: (quality) => (state = quality.state) });
  let good = 0;
  let judged = 0;
  for (let at = 0; at < samples.length && at < toS * record.rateHz; at++) {
    gate.push(samples[at]!, (at * 1000) / record.rateHz);
    if (at % record.rateHz !== 0 || at < fromS * record.rateHz || state === 'none') continue;
    judged++;
    if (state === 'good') good++;
  }
  return good / judged;
}

describe.skipIf(!existsSync(join(DATA, 'nstdb')))('EcgQuality on recordings (SLOTHD_DATA)', () => {
  it('tells the noisy minutes of 118 from the clean ones', async () => {
    expect(await goodShare('nstdb/118e_6', 0, 300)).toBeGreaterThan(0.95);
    expect(await goodShare('nstdb/118e24', 306, 420)).toBeGreaterThan(0.95);
    expect(await goodShare('nstdb/118e_6', 306, 420)).toBeLessThan(0.2);
  });

  it('does not take noise alone for a heart', async () => {
    expect(await goodShare('nstdb/bw')).toBeLessThan(0.02);
    expect(await goodShare('nstdb/ma')).toBeLessThan(0.1);
  });

  it('leaves clean records, ventricular bigeminy, paced beats and flutter alone', async () => {
    for (const record of ['100', '102', '119', '200', '208', '222'])
      expect(await goodShare(`mitdb/${record}`), record).toBeGreaterThan(0.97);
    // 207: ventricular flutter from 24:02 to 26:20.
    expect(await goodShare('mitdb/207', 1445, 1575)).toBeGreaterThan(0.9);
  });
});
