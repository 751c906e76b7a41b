import type { Pipeline } from '../../daemon/pipeline.js';
import type { ReadingSink } from '../../domain/reading.js';
import { ReplayError } from './source.js';
import { openCapture } from './source-capture.js';

/** The ECG samples of a capture, counted as `slothd replay --annotations` counts them. @throws ReplayError */
export async function captureSamples(
  file: string,
  rateHz: number | undefined,
): Promise<{ samples: Float32Array; rateHz: number }> {
  const source = await openCapture(file, { format: undefined, options: {}, rateHz });
  if (source.carries.waveform?.kind !== 'ecg') throw new ReplayError(`${file} holds no ECG`);
  const values: number[] = [];
  const ignore = () => {};
  const sink: ReadingSink & Pick<Pipeline, 'interrupted'> = {
    sample: (value) => values.push(value),
    lost(samples) {
      // A counter that jumps a day ahead is a broken counter.
      for (let i = 0; i < Math.min(samples, 86_400 * source.rateHz); i++) values.push(Number.NaN);
    },
    ...{ deviceTime: ignore, beat: ignore, rr: ignore, heartRate: ignore, spo2: ignore, contact: ignore },
    ...{ battery: ignore, frame: ignore, dropped: ignore, interrupted: ignore },
  };
  // A step feeds readings and interruptions only, which is all that this stands in for.
  for (const step of source.steps()) step.feed(sink as unknown as Pipeline);
  return { samples: Float32Array.from(values), rateHz: source.rateHz };
}
