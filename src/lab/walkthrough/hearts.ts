import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MITDB_DS1, MITDB_DS2, SVDB } from '../data/splits.js';
import { Random } from '../train/random.js';
import { type Annotation, writeAnnotations, writeRecord } from '../wfdb/index.js';

/** Samples per second of the made-up recordings: svdb's own rate. */
export const MADE_UP_RATE_HZ = 128;
/** Few records of svdb are enough to show the steps. */
const SVDB_RECORDS = SVDB.slice(0, 8);

/**
 * A made-up heart: narrow beats with a P wave, early narrow ones without it (A), wide early ones (V), a few fusion beats.
 * @param seed decides rate, order of beats and noise
 * @returns mV at `MADE_UP_RATE_HZ`, and the mark of every R wave
 */
export function madeUpHeart(seed: number, beatCount: number): { signal: Float32Array; beats: Annotation[] } {
  const random = new Random(seed);
  const beats: Annotation[] = [];
  const rr = 95 + random.below(20);
  let sample = 100;
  for (let k = 0; k < beatCount; k++) {
    const draw = random.uniform();
    // The windows need a dozen normal beats to learn what this heart's own beat looks like.
    const symbol = k < 12 || draw < 0.76 ? 'N' : draw < 0.87 ? 'A' : draw < 0.97 ? 'V' : 'F';
    const early = symbol === 'A' || symbol === 'V';
    const afterEarly = ['A', 'V'].includes(beats.at(-1)?.symbol ?? '');
    sample += Math.round(rr * (early ? 0.7 : afterEarly ? 1.25 : 1) + 2 * random.normal());
    beats.push({ sample, symbol, subtype: 0, chan: 0, num: 0, aux: '' });
  }
  const signal = new Float32Array(sample + 200);
  const bump = (at: number, height: number, width: number) => {
    for (let i = -40; i <= 40; i++) signal[at + i]! += height * Math.exp(-0.5 * (i / width) ** 2);
  };
  for (const { sample: at, symbol } of beats) {
    const wide = symbol === 'V' ? 1 : symbol === 'F' ? 0.5 : 0;
    bump(at, 1 - wide * 1.8, 1.5 + 5 * wide);
    bump(at + 35, 0.25 - 0.6 * wide, 6);
    if (symbol === 'N') bump(at - 20, 0.15, 3);
  }
  for (let i = 0; i < signal.length; i++) signal[i]! += 0.01 * random.normal();
  return { signal, beats };
}

/**
 * Writes made-up recordings under the names of those that beat-ecg is trained and tested on, so that every lab verb runs
 * in seconds and without a download. They show the steps; what is learnt of them is good for nothing.
 * @param folder gets `mitdb/` and `svdb/`
 */
export async function writeHearts(folder: string, beatCount = 120): Promise<number> {
  const names = [
    ...[...MITDB_DS1, ...MITDB_DS2].map((name) => ['mitdb', name] as const),
    ...SVDB_RECORDS.map((name) => ['svdb', name] as const),
  ];
  for (const [database, name] of names) {
    await mkdir(join(folder, database), { recursive: true });
    const { signal, beats } = madeUpHeart(Number(name), beatCount);
    const lead = { name: 'MLII', unit: 'mV', gainPerUnit: 200, baseline: 0, samples: signal };
    // Record 114 of mitdb has its leads the other way round: the lab takes the second one.
    const signals = name === '114' ? [lead, lead] : [lead];
    await writeRecord(join(folder, database, name), {
      rateHz: MADE_UP_RATE_HZ,
      comments: ['made up, no person'],
      signals,
    });
    await writeAnnotations(join(folder, database, `${name}.atr`), beats);
  }
  return names.length;
}
