import type { Logger } from 'pino';
import type { KeyValueStore } from '../domain/store.js';
import type { AnomalyPath } from './anomaly-path.js';

/** Of a station, as far as it is of use here. */
interface Learner {
  readonly name: string;
  readonly anomalyPath: Pick<AnomalyPath, 'snapshot' | 'restore'> | null;
}

/** Where one sensor's baseline is kept: one key, a kilobyte, written over each time. */
const keyOf = (sensor: string) => `baseline/${encodeURIComponent(sensor)}`;

/** Takes up what an earlier run learnt of the person with this sensor. What makes no sense is left out, with a warning. */
export async function restoreBaseline(
  store: KeyValueStore,
  { name, anomalyPath }: Learner,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  if (!anomalyPath) return;
  const wanted = keyOf(name);
  for await (const [key, value] of store.scan(wanted)) {
    if (key !== wanted) continue;
    let saved: unknown = null;
    try {
      saved = JSON.parse(value);
    } catch {
      // A damaged value is the same as none.
    }
    if (!anomalyPath.restore(saved)) log.warn({ sensor: name }, 'the stored baseline makes no sense; learning anew');
  }
}

/** Stores every sensor's baseline. Never throws: the next round tries again. */
export async function keepBaselines(
  store: KeyValueStore,
  learners: readonly Learner[],
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  const writes = learners.flatMap(({ name, anomalyPath }) =>
    anomalyPath ? [{ key: keyOf(name), value: JSON.stringify(anomalyPath.snapshot()) }] : [],
  );
  if (writes.length === 0) return;
  await store.batch(writes).catch((error: Error) => log.warn({ err: error }, 'baselines could not be stored'));
}
