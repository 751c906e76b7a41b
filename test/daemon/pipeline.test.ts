import { describe, expect, it } from 'vitest';
import { BeatClassifier } from '../../src/daemon/beat-classifier.js';
import type { Beat } from '../../src/domain/beat.js';
import { BEAT_ECG_FEATURE_COUNT } from '../../src/inference/windows/beat-ecg-features.js';
import { findFormat } from '../../src/sensor/formats/registry.js';
import { makeScenario } from '../../src/simulator/scenario.js';
import { SimulatedSensor } from '../../src/simulator/sensor.js';
import { benchPipeline, ECG, ecgOf, NOTHING } from './support/pipeline-bench.js';
import { manualStation } from './support/station-bench.js';

const CALM = [{ rhythm: 'sinus' as const, bpm: 70, seconds: 3600 }];

/** Each true beat with the found one nearest to it, in samples; `missed` counts those without one within 60 ms. */
function compare(beats: readonly Beat[], peaks: readonly number[], rateHz = 250) {
  let missed = 0;
  let worst = 0;
  for (const peak of peaks) {
    const error = Math.min(...beats.map(({ sample }) => Math.abs(sample - peak)));
    if (error > 0.06 * rateHz) missed++;
    else worst = Math.max(worst, error);
  }
  return { missed, worst };
}

describe('an ECG waveform', () => {
  it('finds the beats, with times, intervals and quality', () => {
    const { samples, peaks } = ecgOf(CALM, 60);
    const { play, beats, qualities, pipeline } = benchPipeline();
    play(samples);
    const found = peaks.filter((peak) => peak > 8 * 250 && peak < 59 * 250);
    expect(compare(beats, found)).toMatchObject({ missed: 0 });
    expect(Math.abs(beats.length - peaks.length)).toBeLessThanOrEqual(3);
    for (const [index, beat] of beats.entries()) {
      expect(beat.tMs).toBeCloseTo(beat.sample * 4, 6);
      expect(beat.decidedAtMs).toBeGreaterThanOrEqual(beat.tMs);
      const before = beats[index - 1];
      expect(beat.rrMs).toBe(before ? beat.tMs - before.tMs : null);
      expect(beat.source).toBe('ecg');
    }
    expect(beats.at(-1)?.quality).toBeGreaterThan(0.5);
    expect(pipeline.heartRateBpm).toBeGreaterThan(65);
    expect(pipeline.heartRateBpm).toBeLessThan(75);
    expect(qualities.map(({ state }) => state).filter((state) => state !== 'none')).toEqual(['good']);
  });

  it('decides the same whatever the chunks', () => {
    const format = findFormat('ad8232');
    const options = { rateHz: 200 };
    const chunks: Uint8Array[] = [];
    const sensor = new SimulatedSensor({
      scenario: makeScenario({
        episodes: [
          { rhythm: 'sinus', seconds: 15 },
          { rhythm: 'sinus', seconds: 4, contact: false },
          { rhythm: 'sinus', seconds: 30, bpm: 90 },
        ],
      }),
      format,
      options,
      write: (bytes) => chunks.push(bytes),
    });
    sensor.renderTo(45_000);
    const bytes = Buffer.concat(chunks);
    const decideIn = (size: number) => {
      const bench = benchPipeline({ carries: format.carries(options), rateHz: options.rateHz });
      const decoder = format.createDecoder(bench.pipeline, options);
      for (let at = 0; at < bytes.length; at += size) {
        bench.pipeline.chunk(at, () => decoder.push(bytes.subarray(at, at + size)));
      }
      bench.pipeline.end(45_000);
      return { beats: bench.beats, qualities: bench.qualities };
    };
    const whole = decideIn(bytes.length);
    expect(whole.beats.length).toBeGreaterThan(40);
    expect(whole.qualities.map(({ state }) => state)).toContain('contact-off');
    for (const size of [1, 7, 64, 1000]) expect(decideIn(size), `chunks of ${size}`).toEqual(whole);
  });

  it('counts samples that were lost: no interval across them, and true times after them', () => {
    const { samples, peaks } = ecgOf(CALM, 60);
    const { play, beats, pipeline, told } = benchPipeline();
    const [from, to] = [20 * 250, 21.5 * 250];
    play(samples.subarray(0, from));
    pipeline.chunk(to * 4, () => pipeline.lost(to - from));
    play(samples.subarray(to));
    const after = peaks.filter((peak) => peak > to + 1000 && peak < 59 * 250);
    expect(compare(beats, after)).toMatchObject({ missed: 0 });
    const first = beats.findIndex(({ sample }) => sample >= to);
    expect(beats[first]?.rrMs).toBeNull();
    expect(beats.filter(({ rrMs }) => rrMs === null)).toHaveLength(2);
    expect(beats.every(({ sample }) => sample < from || sample >= to)).toBe(true);
    expect(told()).toEqual([]);
  });

  it('bridges a loss of a few samples', () => {
    const { samples, peaks } = ecgOf(CALM, 40);
    const { play, beats, pipeline } = benchPipeline();
    const peak = peaks.find((sample) => sample > 20 * 250)!;
    const from = peak + 100;
    play(samples.subarray(0, from));
    pipeline.chunk(from * 4, () => pipeline.lost(9));
    play(samples.subarray(from + 9));
    expect(beats.filter(({ rrMs }) => rrMs === null)).toHaveLength(1);
    expect(
      compare(
        beats,
        peaks.filter((sample) => sample > 2000 && sample < 39 * 250),
      ),
    ).toMatchObject({ missed: 0 });
  });

  it('holds the last value where a sample is none, and calls a signal of such samples bad', () => {
    const { samples, peaks } = ecgOf(CALM, 60);
    const few = samples.map((value, i) => (i % 97 === 0 ? Number.NaN : value));
    const some = benchPipeline();
    some.play(few);
    expect(
      compare(
        some.beats,
        peaks.filter((peak) => peak > 2000 && peak < 59 * 250),
      ),
    ).toMatchObject({ missed: 0 });
    expect(some.beats.every(({ tMs, quality }) => Number.isFinite(tMs) && Number.isFinite(quality))).toBe(true);

    const none = benchPipeline();
    none.play(samples.subarray(0, 20 * 250));
    const before = none.beats.length;
    none.play(new Float32Array(20 * 250).fill(Number.NaN));
    expect(none.beats.length).toBeLessThanOrEqual(before + 1);
    expect(none.qualities.at(-1)).toMatchObject({ state: 'poor', reasons: expect.arrayContaining(['not-a-number']) });
    // Not a heart that stopped: nothing is known of it.
    expect(none.told()).toEqual([]);
  });

  it('says nothing of the rhythm any more once the contact has been off for a while', () => {
    const { samples } = ecgOf(CALM, 150);
    const { play, pipeline } = benchPipeline({ carries: { ...ECG, contact: true } });
    const contact = (on: boolean) => (sink: { contact(on: boolean): void }) => sink.contact(on);
    play(samples.subarray(0, 60 * 250), contact(true));
    expect(pipeline.rhythm?.label).toBe('regular');
    play(samples.subarray(60 * 250, 70 * 250), contact(false));
    expect(pipeline.rhythm?.label).toBe('regular');
    play(samples.subarray(70 * 250, 130 * 250), contact(false));
    expect(pipeline.rhythm).toBeNull();
  });

  it('sees no beats while the contact is off, and no interval across it', () => {
    const { samples } = ecgOf(CALM, 60);
    const { play, beats, qualities, told, pipeline } = benchPipeline({ carries: { ...ECG, contact: true } });
    const off = (i: number) => i >= 20 * 250 && i < 32 * 250;
    play(samples, (sink, i) => sink.contact(!off(i)));
    expect(beats.filter(({ decidedAtMs }) => decidedAtMs > 20_000 && decidedAtMs < 32_000)).toEqual([]);
    const first = beats.find(({ tMs }) => tMs > 32_000);
    expect(first?.rrMs).toBeNull();
    expect(qualities.map(({ state }) => state)).toEqual(expect.arrayContaining(['contact-off', 'good']));
    expect(qualities.find(({ state }) => state === 'contact-off')?.tMs).toBeCloseTo(20_000, -1);
    expect(told()).toEqual(['new contact-off', 'end contact-off']);
    expect(pipeline.quality.state).toBe('good');
  });

  it('takes up the contact anew after an interruption', () => {
    const { samples } = ecgOf(CALM, 30);
    const { play, pipeline, qualities } = benchPipeline({ carries: { ...ECG, contact: true } });
    play(samples.subarray(0, 2500), (sink) => sink.contact(true));
    play(samples.subarray(2500, 3000), (sink) => sink.contact(false));
    pipeline.interrupted(12_000);
    play(samples.subarray(3000), (sink) => sink.contact(false));
    expect(pipeline.quality.state).toBe('contact-off');
    expect(qualities.filter(({ state }) => state === 'good')).toHaveLength(1);
  });

  it('an asystole is told, with the stretch of signal that shows it', () => {
    const { samples } = ecgOf([{ rhythm: 'sinus', seconds: 20 }, { rhythm: 'asystole', seconds: 9 }, ...CALM], 40);
    const { play, alerts, told } = benchPipeline();
    play(samples);
    expect(told()[0]).toBe('new asystole');
    const { evidence, raisedMs, onsetMs } = alerts[0]!;
    expect(raisedMs - onsetMs).toBeGreaterThanOrEqual(4000);
    expect(raisedMs - onsetMs).toBeLessThan(4500);
    expect(evidence.signal?.unit).toBe('mV');
    expect(evidence.signal?.startAtMs).toBeCloseTo(onsetMs - 2000, -2);
    expect(Math.max(...(evidence.signal?.samples ?? []))).toBeGreaterThan(0.5);
    expect(evidence.rrMs?.length).toBeGreaterThan(5);
  });

  it('tells what caused what happens now, and nothing afterwards', () => {
    const causes: (number | null)[] = [];
    const bench = benchPipeline({ listener: { beat: () => causes.push(bench.pipeline.causeMs) } });
    bench.play(ecgOf(CALM, 20).samples);
    expect(causes.length).toBeGreaterThan(10);
    expect(causes.every((cause) => cause !== null && cause % 100 === 0)).toBe(true);
    expect(bench.pipeline.causeMs).toBeNull();
    expect(new Set(bench.stages)).toContain('decode');
    expect(new Set(bench.stages)).toContain('alarm');
  });
});

describe('reference beats', () => {
  it('stand in for the detector: exactly these, classified as these', () => {
    const { samples, peaks } = ecgOf(CALM, 30);
    const { play, beats, classified } = benchPipeline({ detect: false });
    let next = 0;
    play(samples, (sink, i) => {
      while (next < peaks.length && peaks[next]! + 115 <= i) {
        (sink as ReturnType<typeof benchPipeline>['pipeline']).referenceBeat(peaks[next++]!);
      }
    });
    expect(beats.map(({ sample }) => sample)).toEqual(peaks.slice(0, next));
    expect(classified).toEqual(beats.map(() => null));
    expect(beats.every(({ decidedAtMs, tMs }) => decidedAtMs > tMs)).toBe(true);
  });
});

describe('with a model', () => {
  const classifierOf = (answers: (index: number) => Promise<Float32Array | null>) => {
    let asked = 0;
    return new BeatClassifier({
      rateHz: 250,
      model: 'beat',
      inference: { infer: () => answers(asked++), state: () => 'ready', info: () => null },
      preprocessing: {
        featureMean: new Array(BEAT_ECG_FEATURE_COUNT).fill(0),
        featureDeviation: new Array(BEAT_ECG_FEATURE_COUNT).fill(1),
      },
      logitOffsets: [0, 0, 0],
      stages: { record: () => undefined },
      nowMs: () => 0,
      causeMs: () => 7,
    });
  };

  it('every beat gets its word, in the order of beats, whatever the order of the answers', async () => {
    const waiting: (() => void)[] = [];
    const classifier = classifierOf(
      (index) =>
        new Promise((resolve) => {
          waiting.push(() =>
            resolve(index % 5 === 4 ? null : Float32Array.of(index % 2 ? 9 : 0, 0, index % 2 ? 0 : 9)),
          );
        }),
    );
    const words: string[] = [];
    const order: number[] = [];
    const { play, pipeline, beats } = benchPipeline({
      classifier,
      listener: {
        classified: (beat, scores) => {
          order.push(beat.sample);
          words.push(scores?.class ?? '-');
        },
      },
    });
    play(ecgOf(CALM, 30).samples);
    pipeline.end(30_000);
    expect(words).toEqual([]);
    for (const answer of waiting.reverse()) answer();
    await pipeline.settled();
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(new Set(words)).toEqual(new Set(['N', 'V', '-']));
    expect(order.length).toBeGreaterThan(25);
    expect(order).toEqual(beats.map(({ sample }) => sample));
  });

  it('a host that is away costs the classes, not the beats or the alarms', async () => {
    const classifier = classifierOf(() => Promise.resolve(null));
    const bench = benchPipeline({ classifier });
    bench.play(
      ecgOf(
        [
          { rhythm: 'sinus', seconds: 15 },
          { rhythm: 'sinus-tachycardia', seconds: 60 },
        ],
        60,
      ).samples,
    );
    bench.pipeline.end(60_000);
    await bench.pipeline.settled();
    expect(bench.told()).toEqual(['new extreme-tachycardia']);
    expect(bench.classified.every((scores) => scores === null)).toBe(true);
    expect(bench.classified.length).toBe(bench.beats.length);
  });
});

describe('a device without an ECG', () => {
  it('intervals make beats, and alarms come of them', () => {
    const carries = { ...NOTHING, rr: true, heartRate: true, contact: true };
    const { wait, beats, told, pipeline } = benchPipeline({ carries });
    const second = (rrMs: number) =>
      wait(rrMs, (sink) => {
        sink.contact(true);
        sink.rr(rrMs);
        sink.heartRate(60_000 / rrMs);
        sink.frame();
      });
    for (let i = 0; i < 20; i++) second(850);
    expect(beats).toHaveLength(20);
    expect(beats.at(-1)).toMatchObject({ rrMs: 850, sample: -1, source: 'rr' });
    expect(beats.at(-1)!.tMs - beats.at(-2)!.tMs).toBe(850);
    expect(pipeline.heartRateBpm).toBeCloseTo(60_000 / 850, 1);
    for (let i = 0; i < 60; i++) second(360);
    expect(told()).toEqual(['new extreme-tachycardia']);
  });

  it('a bundle of intervals in one frame keeps its order and its lengths', () => {
    const { wait, beats } = benchPipeline({ carries: { ...NOTHING, rr: true } });
    for (let i = 0; i < 10; i++) {
      wait(1700, (sink) => {
        sink.rr(800);
        sink.rr(900);
      });
    }
    expect(beats).toHaveLength(20);
    expect(beats.map(({ rrMs }) => rrMs)).toEqual(beats.map((_, i) => (i % 2 ? 900 : 800)));
    for (let i = 1; i < beats.length; i++) expect(beats[i]!.tMs).toBeGreaterThanOrEqual(beats[i - 1]!.tMs);
  });

  it('beat flags make beats at their arrival', () => {
    const { wait, beats } = benchPipeline({ carries: { ...NOTHING, beatFlags: true } });
    for (let i = 0; i < 10; i++) wait(900, (sink) => sink.beat());
    expect(beats.map(({ tMs }) => tMs)).toEqual(Array.from({ length: 10 }, (_, i) => 900 * (i + 1)));
    expect(beats.slice(1).every(({ rrMs }) => rrMs === 900)).toBe(true);
    expect(beats[0]?.rrMs).toBeNull();
  });

  it('beats reported without contact are none', () => {
    const { wait, beats, told } = benchPipeline({ carries: { ...NOTHING, rr: true, contact: true } });
    for (let i = 0; i < 5; i++)
      wait(800, (sink) => {
        sink.contact(true);
        sink.rr(800);
      });
    for (let i = 0; i < 10; i++)
      wait(800, (sink) => {
        sink.contact(false);
        sink.rr(800);
      });
    expect(beats).toHaveLength(5);
    expect(told()).toEqual(['new contact-off']);
  });

  it('a bare rate alarms by the threshold; none is no rate, and no stopped heart', () => {
    const { wait, told, pipeline } = benchPipeline({ carries: { ...NOTHING, heartRate: true } });
    for (let i = 0; i < 20; i++)
      wait(1000, (sink) => {
        sink.heartRate(70);
        sink.frame();
      });
    for (let i = 0; i < 20; i++)
      wait(1000, (sink) => {
        sink.heartRate(0);
        sink.frame();
      });
    expect(pipeline.heartRateBpm).toBeNull();
    expect(told()).toEqual([]);
    for (let i = 0; i < 20; i++)
      wait(1000, (sink) => {
        sink.heartRate(170);
        sink.frame();
      });
    expect(told()).toEqual(['new tachycardia']);
    expect(pipeline.heartRateBpm).toBe(170);
  });
});

describe('a waveform whose rate nobody names', () => {
  it('is measured, then looked at', async () => {
    const { time, heart, station, count, log } = manualStation({ format: 'ad8232' });
    const sensor = heart(CALM);
    sensor.start();
    await time.advance(4_000);
    expect(station.runtime.rateHz).toBeNull();
    await time.advance(26_000);
    expect(station.runtime.rateHz).toBeCloseTo(sensor.rateHz, -1);
    expect(log.map(({ msg }) => msg)).toContain('waveform rate measured');
    expect(await count('beats_total', {})).toBeGreaterThan(20);
    expect(station.vitals.peek(station.runtime.current).hrBpm).toBeGreaterThan(64);
    expect(station.vitals.peek(station.runtime.current).hrBpm).toBeLessThan(76);
    await station.runtime.stop();
  });

  it('is measured anew when the link breaks while it is measured', async () => {
    const { time, heart, link, station } = manualStation({ format: 'ad8232' });
    const sensor = heart(CALM);
    sensor.start();
    await time.advance(3_500);
    link.handlers?.onClose('unplugged');
    await time.advance(12_000);
    expect(station.runtime.rateHz).toBeCloseTo(sensor.rateHz, -1);
    await station.runtime.stop();
  });

  it('too slow for an ECG, it is said and not used', async () => {
    const { time, link, station, log, told } = manualStation({ format: 'ad8232' });
    for (let ms = 0; ms < 31_000; ms += 100) {
      link.handlers?.onBytes(Buffer.from('512\r\n'));
      await time.advance(100);
    }
    expect(station.runtime.rateHz).toBeNull();
    expect(log.map(({ msg }) => msg)).toContainEqual(expect.stringContaining('an ECG needs a rate of 50 to 8000 Hz'));
    expect(told()).toEqual(['new no-data']);
    await station.runtime.stop();
  });
});
