import { type BackendName, openBackend } from '../../backend.js';
import { alertsOf, type ShockableAlarmFigures, shockableAlarmFigures } from './alarm-level.js';
import { loadTraining } from './bundle.js';
import { loadTestRecords, type ShockableDataOptions } from './data.js';
import { type ShockableWindowFigures, shockableWindowFigures } from './figures.js';
import { type ScoredRecord, score } from './score.js';
import { shippedSetting } from './train.js';

/** Figures of the recordings that nothing was trained or chosen on. */
export interface ShockableTestFigures {
  readonly mitdb: { readonly windows: ShockableWindowFigures; readonly alarms: ShockableAlarmFigures };
  /** cinc2017's recordings called too noisy. */
  readonly noise: { readonly windows: ShockableWindowFigures; readonly alarms: ShockableAlarmFigures };
}

export interface EvaluateShockableOptions extends ShockableDataOptions {
  /** Folder of a training, plain or pruned. */
  readonly modelFolder: string;
  readonly backend?: BackendName | 'auto';
}

/** Runs a trained model over mitdb and cinc2017's noise, a window a second as in the daemon. */
export async function evaluateShockable(options: EvaluateShockableOptions): Promise<ShockableTestFigures> {
  await openBackend(options.backend ?? 'auto');
  const { fitted } = await loadTraining(options.modelFolder);
  const scored = score(fitted, await loadTestRecords(options));
  fitted.model.dispose();
  return testFiguresOf(scored);
}

/** The test recordings' figures from whatever scored them: the float model here, an ONNX file elsewhere. */
export function testFiguresOf(scored: readonly ScoredRecord[]): ShockableTestFigures {
  const setting = shippedSetting();
  const of = (database: string) => {
    const own = scored.filter(({ record }) => record.database === database);
    const byRecord = new Map(own.map((one) => [one.record, one]));
    return {
      windows: shockableWindowFigures(own, setting.on),
      alarms: shockableAlarmFigures([...byRecord.keys()], setting, (record) =>
        alertsOf(byRecord.get(record)!, setting),
      ),
    };
  };
  return { mitdb: of('mitdb'), noise: of('cinc2017') };
}
