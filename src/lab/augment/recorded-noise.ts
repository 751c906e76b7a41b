import { join } from 'node:path';
import { LabDataError } from '../data/find.js';
import { rationalFactor, resample } from '../signal/resample.js';
import { standardised } from '../signal/standardise.js';
import { readSoundRecord } from '../wfdb/index.js';

/**
 * Noise to train with, recorded by the makers of nstdb on active volunteers with electrodes where no ECG is seen (Moody, Muldrow
 * and Mark, Computers in Cardiology 11, 1984): no patient of any database is in it. Its electrode motion (`em`) is what
 * nstdb's own test records are made with, and is never read here.
 */
export interface RecordedNoise {
  readonly rateHz: number;
  /** `ma`: muscle artefact. Each channel has a mean of 0 and a deviation of 1. */
  readonly muscle: readonly Float32Array[];
  /** `bw`: baseline wander, likewise. */
  readonly baseline: readonly Float32Array[];
}

/**
 * nstdb's muscle noise and baseline wander at a model's rate, by the polyphase resampler.
 * @param dataFolder that holds nstdb/
 * @param through what the model's signals go through before it sees them, such as the daemon's band pass
 * @throws LabDataError where the recordings are not there
 */
export async function loadRecordedNoise(
  dataFolder: string,
  rateHz: number,
  through: (samples: Float32Array) => Float32Array = (samples) => samples,
): Promise<RecordedNoise> {
  const channelsOf = async (name: string) => {
    const record = await readSoundRecord(join(dataFolder, 'nstdb', name)).catch((error: Error) => {
      throw new LabDataError(`${error.message}: \`slothd data get nstdb\` downloads the noise to train with`);
    });
    const { up, down } = rationalFactor(record.rateHz, rateHz);
    // Sections lie some millivolts off zero: held edges and a taken-off mean keep the filter from ringing at the ends.
    return record.signals.map(({ samples }) => standardised(through(resample(samples, up, down, { edges: 'hold' }))));
  };
  return { rateHz, muscle: await channelsOf('ma'), baseline: await channelsOf('bw') };
}
