import { describe, expect, it } from 'vitest';
import type { HeartBeat } from '../../src/simulator/heart/beat.js';
import { Heart, type HeartOptions } from '../../src/simulator/heart/heart.js';
import { makeScenario, type Scenario, singleRhythm } from '../../src/simulator/scenario.js';

const SEED = 7;

function beatsOf(scenario: Scenario, seconds: number, more: Partial<HeartOptions> = {}): HeartBeat[] {
  const beats: HeartBeat[] = [];
  const heart = new Heart({
    scenario,
    seed: SEED,
    rateHz: 100,
    waveform: 'none',
    onBeat: (beat) => beats.push(beat),
    ...more,
  });
  while (heart.tMs < seconds * 1000) heart.step();
  return beats;
}

const intervals = (beats: readonly HeartBeat[]): number[] => beats.flatMap((beat) => beat.rrMs ?? []);
const mean = (x: readonly number[]): number => x.reduce((sum, value) => sum + value, 0) / x.length;
const deviation = (x: readonly number[]): number => Math.sqrt(mean(x.map((value) => (value - mean(x)) ** 2)));

function rmssd(x: readonly number[]): number {
  return Math.sqrt(mean(x.slice(1).map((value, i) => (value - x[i]!) ** 2)));
}

/** Coefficient of sample entropy, m = 1, r = 30 ms (Lake and Moorman, Am J Physiol Heart Circ Physiol 2011). */
function cosEn(rrMs: readonly number[]): number {
  const r = 30;
  let matches = 0;
  let longer = 0;
  for (let i = 0; i < rrMs.length - 1; i++) {
    for (let j = i + 1; j < rrMs.length - 1; j++) {
      if (Math.abs(rrMs[i]! - rrMs[j]!) > r) continue;
      matches += 1;
      if (Math.abs(rrMs[i + 1]! - rrMs[j + 1]!) <= r) longer += 1;
    }
  }
  return Math.log(matches / longer) + Math.log(2 * r) - Math.log(mean(rrMs));
}

/** Power of the RR series, taken at 4 Hz, between two frequencies (plain DFT). */
function bandPower(beats: readonly HeartBeat[], lowHz: number, highHz: number): number {
  const rateHz = 4;
  const start = beats[1]!.tMs;
  const n = Math.floor(((beats.at(-1)!.tMs - start) / 1000) * rateHz);
  const series: number[] = [];
  let beat = 1;
  for (let i = 0; i < n; i++) {
    const tMs = start + (1000 * i) / rateHz;
    while (beats[beat + 1]!.tMs <= tMs) beat += 1;
    const [a, b] = [beats[beat]!, beats[beat + 1]!];
    series.push(a.rrMs! + ((b.rrMs! - a.rrMs!) * (tMs - a.tMs)) / (b.tMs - a.tMs));
  }
  const centre = mean(series);
  let power = 0;
  for (let k = Math.ceil((lowHz * n) / rateHz); k < (highHz * n) / rateHz; k++) {
    let re = 0;
    let im = 0;
    series.forEach((value, i) => {
      const angle = (2 * Math.PI * k * i) / n;
      re += (value - centre) * Math.cos(angle);
      im += (value - centre) * Math.sin(angle);
    });
    power += (2 * (re * re + im * im)) / (n * n);
  }
  return power;
}

describe('synthetic heart: beats', () => {
  it.each([
    ['sinus', 68],
    ['sinus-tachycardia', 160],
    ['sinus-bradycardia', 36],
    ['atrial-fibrillation', 110],
    ['atrial-fibrillation', 75],
    ['ventricular-tachycardia', 180],
  ] as const)('%s beats at %d bpm as asked', (rhythm, bpm) => {
    const rr = intervals(beatsOf(singleRhythm(rhythm, { bpm }), 600));
    expect(Math.abs(60_000 / mean(rr) - bpm)).toBeLessThan(0.02 * bpm);
  });

  it('varies in sinus rhythm as a resting person does, with a Mayer and a breathing peak', () => {
    const beats = beatsOf(singleRhythm('sinus', { bpm: 68 }), 600);
    const rr = intervals(beats);
    // Task Force 1996, short recordings: SDNN about 30 to 65 ms, LF/HF about 0.5 to 3.
    expect(deviation(rr)).toBeGreaterThan(30);
    expect(deviation(rr)).toBeLessThan(65);
    const lf = bandPower(beats, 0.04, 0.15);
    const hf = bandPower(beats, 0.15, 0.4);
    expect(lf / hf).toBeGreaterThan(0.5);
    expect(lf / hf).toBeLessThan(3);
    // The power is in the peaks, not spread: little lies between them.
    expect(bandPower(beats, 0.15, 0.19)).toBeLessThan(0.1 * (lf + hf));
  });

  it('is irregularly irregular in atrial fibrillation: published rules fire there and only there', () => {
    const af = intervals(beatsOf(singleRhythm('af'), 300));
    const sinus = intervals(beatsOf(singleRhythm('sinus'), 300));
    // Dash et al. 2009: RMSSD / mean above 0.1. Lake and Moorman 2011: CosEn above -1.4. Windows of 60 beats.
    for (let from = 0; from + 60 <= af.length; from += 60) {
      const window = af.slice(from, from + 60);
      expect(rmssd(window) / mean(window)).toBeGreaterThan(0.1);
      expect(cosEn(window)).toBeGreaterThan(-1.4);
    }
    for (let from = 0; from + 60 <= sinus.length; from += 60) {
      const window = sinus.slice(from, from + 60);
      expect(rmssd(window) / mean(window)).toBeLessThan(0.1);
      expect(cosEn(window)).toBeLessThan(-1.4);
    }
    expect(Math.min(...af)).toBeGreaterThan(240);
  });

  it('puts a V after every sinus beat in bigeminy, with a full compensatory pause', () => {
    const beats = beatsOf(singleRhythm('bigeminy', { bpm: 70 }), 60).slice(1);
    const afterV = beats.flatMap((beat, i) => (i > 0 && beats[i - 1]!.class === 'V' ? [beat] : []));
    expect(afterV.length).toBeGreaterThan(25);
    expect(afterV.every((beat) => beat.class === 'N')).toBe(true);
    const early = beats.filter((beat) => beat.class === 'V').map((beat) => beat.rrMs!);
    expect(mean(early)).toBeLessThan(0.65 * 857);
    expect(mean(early) + mean(afterV.map((beat) => beat.rrMs!))).toBeCloseTo(2 * 857, -2);
  });

  it.each([
    ['pvc', 'V'],
    ['pac', 'S'],
  ] as const)('scatters isolated early beats in %s, about as many per minute as asked', (rhythm, beatClass) => {
    const beats = beatsOf(singleRhythm(rhythm, { perMinute: 6 }), 1200);
    const early = beats.filter((beat) => beat.class === beatClass).length / 20;
    expect(early).toBeGreaterThan(4);
    expect(early).toBeLessThan(8);
    beats.forEach((beat, i) => {
      if (beat.class === beatClass) expect(beats[i + 1]?.class ?? 'N').toBe('N');
    });
  });

  it('runs a ventricular tachycardia of exactly the beats asked for', () => {
    const scenario = makeScenario({
      episodes: [
        { rhythm: 'sinus', seconds: 10 },
        { rhythm: 'vt', bpm: 180, beats: 12 },
        { rhythm: 'sinus', seconds: 10 },
      ],
    });
    const classes = beatsOf(scenario, 22).map((beat) => beat.class);
    expect(classes.join('')).toMatch(/^N{8,}V{12}N{8,}$/);
  });

  it('pauses for one RR interval of exactly the length asked for', () => {
    const scenario = makeScenario({
      episodes: [
        { rhythm: 'sinus', seconds: 10 },
        { rhythm: 'pause', seconds: 3.3 },
        { rhythm: 'sinus', seconds: 10 },
      ],
    });
    const rr = intervals(beatsOf(scenario, 22));
    expect(Math.max(...rr)).toBeCloseTo(3300, 6);
    expect(rr.filter((value) => value > 1300)).toHaveLength(1);
  });

  it('has no beats in ventricular fibrillation, for as long as it lasts', () => {
    expect(beatsOf(singleRhythm('vf'), 60)).toEqual([]);
    const repeated = makeScenario({ atEnd: 'repeat', episodes: [{ rhythm: 'vf', seconds: 5 }] });
    expect(beatsOf(repeated, 60)).toEqual([]);
  });

  it('is the same for the same seed, another for another, and its beats do not depend on the sample rate', () => {
    const scenario = singleRhythm('af');
    const times = (seed: number, rateHz: number): number[] => {
      const beats = beatsOf(scenario, 60, { seed, rateHz, waveform: 'ecg' });
      return beats.map((beat) => beat.tMs).filter((tMs) => tMs < 59_000);
    };
    expect(times(1, 250)).toEqual(times(1, 250));
    expect(times(1, 250)).toEqual(times(1, 1000));
    expect(times(1, 250)).not.toEqual(times(2, 250));
  });
});

describe('synthetic heart: truth', () => {
  it('tells each condition as it begins and ends, in time order', () => {
    const scenario = makeScenario({
      atEnd: 'stop',
      episodes: [
        { rhythm: 'sinus', bpm: 70, seconds: 10 },
        { rhythm: 'sinus-tachycardia', bpm: 170, seconds: 30, rampSeconds: 10 },
        { rhythm: 'sinus', bpm: 70, seconds: 10 },
        { rhythm: 'asystole', seconds: 6 },
        { rhythm: 'sinus', contact: false, seconds: 5 },
        { rhythm: 'vf', seconds: 5 },
      ],
    });
    const told: { tMs: number; what: string }[] = [];
    const beats: HeartBeat[] = [];
    const heart = new Heart({
      scenario,
      seed: SEED,
      rateHz: 250,
      waveform: 'ecg',
      onBeat: (beat) => beats.push(beat),
      onTruth: (truth) => {
        expect(truth.tMs).toBeLessThanOrEqual(heart.tMs);
        expect(truth.tMs).toBeGreaterThan(heart.tMs - 5);
        if (truth.kind) told.push({ tMs: truth.tMs, what: `${truth.event} ${truth.kind}` });
      },
    });
    while (!heart.ended) heart.step();
    expect(told.map((truth) => truth.what)).toEqual([
      'begin extreme-tachycardia',
      'begin tachycardia',
      'end extreme-tachycardia',
      'end tachycardia',
      'begin pause',
      'begin asystole',
      'end pause',
      'end asystole',
      'begin contact-off',
      'end contact-off',
      'begin ventricular-fibrillation',
      'end ventricular-fibrillation',
    ]);
    // The tachycardia begins where the beats themselves pass 150 bpm, not where the ramp starts.
    const begun = told[1]!.tMs;
    const crossed = beats.find((beat) => beat.rrMs !== null && beat.rrMs < 400)!.tMs;
    expect(Math.abs(begun - crossed)).toBeLessThan(1500);
    // The asystole begins with the last beat before it.
    const silence = beats.findIndex((beat) => beat.rrMs !== null && beat.rrMs > 5000);
    expect(told[5]!.tMs).toBeCloseTo(beats[silence - 1]!.tMs, 6);
  });

  it('has a pulse deficit: weak beats do not reach a finger, nothing does without contact', () => {
    const noticed = (waveform: 'ecg' | 'ppg', contact: boolean): number => {
      const scenario = singleRhythm('bigeminy', { bpm: 115, contact });
      const heart = new Heart({ scenario, seed: SEED, rateHz: 100, waveform });
      let count = 0;
      while (heart.tMs < 30_000) {
        heart.step();
        if (heart.beat) count += 1;
      }
      return count;
    };
    expect(noticed('ecg', true)).toBeGreaterThan(45);
    expect(noticed('ppg', true)).toBeLessThan(0.6 * noticed('ecg', true));
    expect(noticed('ecg', false)).toBe(0);
  });
});
