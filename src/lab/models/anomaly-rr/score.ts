import type * as tf from '@tensorflow/tfjs';
import { AlarmEngine } from '../../../alarm/engine.js';
import type { AlarmSettings } from '../../../config/alarms.js';
import type { AnomalyVerdict } from '../../../domain/anomaly.js';
import { ANOMALY_FEATURES } from '../../../inference/windows/anomaly-rr.js';
import { AnomalyJudge } from '../../../inference/windows/anomaly-verdict.js';
import type { AnomalyRecord } from '../../data/anomaly-records.js';
import { onlyKinds } from '../only-kinds.js';
import { OUTPUT_NAME } from './network.js';

const COUNT = ANOMALY_FEATURES.length;

/** What answers for the model, one window at a time: the baseline learns of each before the next. */
export type Answer = (departures: Float32Array) => Float32Array | Promise<Float32Array>;

/** A trained network as plain loops: TensorFlow takes a hundred times as long for a single window. */
export function answerOf(model: tf.LayersModel): Answer {
  const layers = model.layers
    .filter((layer) => layer.getWeights().length === 2)
    .map((layer) => {
      const [kernel, bias] = layer.getWeights().map((weight) => weight.dataSync() as Float32Array);
      return { kernel: kernel!, bias: bias!, active: layer.name !== OUTPUT_NAME };
    });
  return (departures) => {
    let x: Float32Array = departures;
    for (const { kernel, bias, active } of layers) {
      const y = Float32Array.from(bias);
      for (let i = 0; i < x.length; i++) {
        for (let k = 0; k < y.length; k++) y[k]! += x[i]! * kernel[i * y.length + k]!;
      }
      if (active) for (let k = 0; k < y.length; k++) y[k] = Math.max(0, y[k]!);
      x = y;
    }
    return x;
  };
}

/** A person's verdicts in turn, the baseline learning as it does in the daemon. */
export interface JudgedRecord {
  readonly record: AnomalyRecord;
  readonly verdicts: readonly AnomalyVerdict[];
}

export async function judgeRecord(record: AnomalyRecord, preprocessing: object, answer: Answer): Promise<JudgedRecord> {
  const judge = new AnomalyJudge({ ...preprocessing });
  const verdicts: AnomalyVerdict[] = [];
  for (let w = 0; w < record.count; w++) {
    const features = record.features.subarray(w * COUNT, (w + 1) * COUNT);
    const logits = await answer(judge.departures(features));
    const times = { tMs: record.tMs[w]!, startMs: record.startMs[w]!, spanMs: record.spanMs[w]! };
    verdicts.push(judge.judge(features, logits, times));
  }
  return { record, verdicts };
}

export type AnomalySetting = Pick<AlarmSettings['anomaly'], 'on' | 'off' | 'sustainMs' | 'clearMs'>;

/** An alert, ms from the record's start. */
export interface RaisedAlert {
  readonly raisedMs: number;
  readonly onsetMs: number;
  readonly endMs: number;
}

/** What the daemon's alarm engine makes of a record's verdicts, no other kind in its way. */
export function alertsOf({ record, verdicts }: JudgedRecord, setting: AnomalySetting): RaisedAlert[] {
  const alerts: { raisedMs: number; onsetMs: number; endMs: number }[] = [];
  const engine = new AlarmEngine({
    sensor: record.record,
    settings: onlyKinds({ anomaly: setting }),
    emit: ({ event, raisedMs, onsetMs, endedMs }) => {
      if (event === 'new') alerts.push({ raisedMs, onsetMs, endMs: Number.POSITIVE_INFINITY });
      else if (event === 'end' && endedMs !== null) alerts.at(-1)!.endMs = endedMs;
    },
    newId: () => String(alerts.length),
    capture: () => undefined,
    modelInfo: () => null,
  });
  for (const verdict of verdicts) {
    engine.beat({ tMs: verdict.tMs, sample: -1, rrMs: null, decidedAtMs: verdict.tMs, quality: 1, source: 'rr' });
    engine.anomaly(verdict);
  }
  return alerts;
}
