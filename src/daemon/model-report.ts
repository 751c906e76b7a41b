import type { Config } from '../config/schema.js';
import type { ModelHealth } from './health.js';
import type { Models } from './models.js';

/** What runs here: version, models, published limits. */
export function aboutOf(version: string, models: Models, { alarms, inference }: Config) {
  const { beat, rhythm, shockable, anomaly, port } = models;
  const info = beat && port.info(beat.name);
  const others = [rhythm, shockable, anomaly].flatMap((model) => {
    const info = model && port.info(model.name);
    return model && info ? [{ ...info, bundle: models.bundleOf?.(model.name) }] : [];
  });
  return {
    version,
    models: [
      ...(info ? [{ ...info, bundle: models.bundleOf?.('beat'), trials: models.trials(), note: models.note }] : []),
      ...others,
    ],
    inference: { state: models.condition(), reason: models.reason, note: models.note },
    limits: {
      tachycardiaAboveBpm: alarms.tachycardia.aboveBpm,
      bradycardiaBelowBpm: alarms.bradycardia.belowBpm,
      inferenceDeadlineMs: inference.deadlineMs,
    },
  };
}

/** The beat model and its host; null where there is none. */
export function modelHealthOf(models: Models): ModelHealth | null {
  const { beat, port } = models;
  if (!beat) return null;
  const info = port.info(beat.name);
  const stats = models.stats();
  return {
    name: info?.name ?? beat.name,
    precision: info?.precision ?? '',
    runtime: info?.runtime ?? '',
    sha256: info?.sha256 ?? '',
    trials: models.trials(),
    respawns: stats.respawns,
    timeouts: stats.timeouts,
    lateAnswers: stats.lateAnswers,
    memoryRestarts: stats.memoryRestarts,
    unanswered: stats.dropped + stats.unavailable + stats.lost,
    queued: stats.queued,
    hostResidentMiB: stats.hostResidentMiB,
    budgetMs: stats.budgetMs,
    note: models.note,
  };
}
