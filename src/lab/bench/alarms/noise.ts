import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recoverMotion } from '../../beats/motion.js';
import { qrsHeight } from '../../beats/noise.js';
import { readBeatRecord } from '../../beats/records.js';
import { standardised } from '../../signal/standardise.js';
import { readRecord, writeRecord } from '../../wfdb/index.js';

/** Which half of nstdb's recordings: limits are chosen with the first, figures reported with the second. */
export type NoiseHalf = 'first' | 'second';

/** Electrode motion, muscle artefact, baseline wander: as nstdb names them. */
export const NOISE_KINDS = ['em', 'ma', 'bw'] as const;

/** As nstdb does it: two of every four minutes are noisy. Ours begins after two, and each noisy part is of another kind. */
const FROM_S = 120;
const CYCLE_S = 240;
const NOISY_S = 120;
/** Records begin this far apart in the noise, so that not all of them meet the same. */
const APART_S = 37;
/** A microvolt a step. */
const GAIN_PER_MV = 1000;

/** One half of each noise, at one rate, mean 0 and RMS 1. */
type Noises = Readonly<Record<(typeof NOISE_KINDS)[number], Float32Array>>;

/**
 * Records of mitdb with one half of nstdb's noise added to the first lead, written as WFDB records of their own when they
 * are needed. Electrode motion is not among the recordings on every machine: it is recovered from nstdb's noisy records.
 */
export class NoisyRecords {
  private folder: string | null = null;
  private readonly noises = new Map<NoiseHalf, Promise<Noises>>();

  /** @param dataDir folder that holds mitdb/ and nstdb/ */
  constructor(private readonly dataDir: string) {}

  /** Where `make` will write the record, without extension. */
  pathOf(record: string, half: NoiseHalf, snrDb: number): string {
    if (!this.folder) {
      const folder = mkdtempSync(join(tmpdir(), 'slothd-noise-'));
      this.folder = folder;
      process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    }
    return join(this.folder, `${record}-${half}-${String(snrDb).replace('-', 'm')}dB`);
  }

  /** @param turn counts the records, so that each gets another stretch of the noise */
  async make(record: string, half: NoiseHalf, snrDb: number, turn: number): Promise<void> {
    const { rateHz, signals, reference } = await readBeatRecord(this.dataDir, 'mitdb', record);
    const clean = signals[0]!;
    const noises = await this.noisesOf(half);
    // Counted as WFDB's nst does: the power of the signal is (QRS height)^2 / 8.
    const gain = qrsHeight(clean, reference) / Math.sqrt(8) / 10 ** (snrDb / 20);
    await writeRecord(this.pathOf(record, half, snrDb), {
      rateHz,
      signals: [
        {
          name: 'ECG',
          unit: 'mV',
          gainPerUnit: GAIN_PER_MV,
          baseline: 0,
          samples: withNoise(clean, rateHz, noises, gain, turn),
        },
      ],
    });
  }

  remove(record: string, half: NoiseHalf, snrDb: number): void {
    for (const extension of ['hea', 'dat']) rmSync(`${this.pathOf(record, half, snrDb)}.${extension}`, { force: true });
  }

  private noisesOf(half: NoiseHalf): Promise<Noises> {
    const known = this.noises.get(half) ?? this.read(half);
    this.noises.set(half, known);
    return known;
  }

  private async read(half: NoiseHalf): Promise<Noises> {
    const [clean, noisy] = await Promise.all([
      readBeatRecord(this.dataDir, 'mitdb', '118'),
      readBeatRecord(this.dataDir, 'nstdb', '118e00'),
    ]);
    // Both are at mitdb's own rate, as are all of its records.
    const lead = async (name: string) => (await readRecord(join(this.dataDir, 'nstdb', name))).signals[0]!.samples;
    return {
      em: standardised(halfOf(recoverMotion(clean, noisy), half)),
      ma: standardised(halfOf(await lead('ma'), half)),
      bw: standardised(halfOf(await lead('bw'), half)),
    };
  }
}

/** A lead with noise in two of every four minutes: em, ma, bw, em, ... */
export function withNoise(
  clean: Float32Array,
  rateHz: number,
  noises: Noises,
  gain: number,
  turn: number,
): Float32Array {
  const noisy = Math.round(NOISY_S * rateHz);
  const out = Float32Array.from(clean);
  for (let part = 0; ; part++) {
    const from = Math.round((FROM_S + part * CYCLE_S) * rateHz);
    if (from >= out.length) return out;
    const noise = noises[NOISE_KINDS[part % NOISE_KINDS.length]!];
    const start = Math.round(turn * APART_S * rateHz) + Math.floor(part / NOISE_KINDS.length) * noisy;
    for (let i = 0; i < noisy && from + i < out.length; i++) {
      out[from + i] = clean[from + i]! + gain * noise[(start + i) % noise.length]!;
    }
  }
}

function halfOf(samples: Float32Array, half: NoiseHalf): Float32Array {
  const middle = samples.length >> 1;
  return half === 'first' ? samples.slice(0, middle) : samples.slice(middle);
}
