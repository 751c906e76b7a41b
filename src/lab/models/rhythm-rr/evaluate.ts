import { type BackendName, openBackend } from '../../backend.js';
import { type AlarmFigures, type AlarmSetting, alarmFigures } from './alarm-level.js';
import { loadTraining } from './bundle.js';
import { loadTestRecords, type RhythmRrDataOptions } from './data.js';
import { type FlutterAs, falsePositivesByEctopy, type WindowFigures, windowFigures } from './figures.js';
import { DAEMON_EVERY, type ScoredRhythm, score } from './score.js';
import { shippedSetting } from './train.js';

const FLUTTER_AS: readonly FlutterAs[] = ['other', 'af', 'left-out'];

/** Figures of one test database. */
export interface RhythmTestFigures {
  readonly windows: Readonly<Record<FlutterAs, WindowFigures>>;
  readonly falsePositivesByEctopy: ReturnType<typeof falsePositivesByEctopy>;
  /** At the alarm's shipped setting, flutter counted as fibrillation. */
  readonly alarms: AlarmFigures;
}

export interface RhythmRrTestFigures {
  readonly afdb: RhythmTestFigures;
  readonly mitdb: RhythmTestFigures;
}

export interface EvaluateRhythmRrOptions extends RhythmRrDataOptions {
  /** Folder of a training, plain or pruned. */
  readonly modelFolder: string;
  readonly backend?: BackendName | 'auto';
}

/** Runs a trained model over afdb and mitdb, reference beats, a window every 5 beats as in the daemon. */
export async function evaluateRhythmRr(options: EvaluateRhythmRrOptions): Promise<RhythmRrTestFigures> {
  await openBackend(options.backend ?? 'auto');
  const { fitted } = await loadTraining(options.modelFolder);
  const scored = score(fitted, await loadTestRecords(options), DAEMON_EVERY);
  fitted.model.dispose();
  return testFiguresOf(scored);
}

/** The test databases' figures from whatever scored them: the float model here, an ONNX file elsewhere. */
export function testFiguresOf(
  scored: readonly ScoredRhythm[],
  setting: AlarmSetting = shippedSetting(),
): RhythmRrTestFigures {
  const of = (database: string): RhythmTestFigures => {
    const own = scored.filter(({ record }) => record.database === database);
    const windows = Object.fromEntries(FLUTTER_AS.map((as) => [as, windowFigures(own, as)]));
    return {
      windows: windows as RhythmTestFigures['windows'],
      falsePositivesByEctopy: falsePositivesByEctopy(own),
      alarms: alarmFigures(own, setting, true),
    };
  };
  return { afdb: of('afdb'), mitdb: of('mitdb') };
}
