import { type BackendName, openBackend } from '../../backend.js';
import { loadTraining } from './bundle.js';
import { type AnomalyDataOptions, loadPatients, loadStraps } from './data.js';
import { type EpisodeFigures, episodeFigures, type NormalFigures, normalFigures } from './figures.js';
import { type AnomalySetting, type JudgedRecord, judgeRecord, type Rebuild, rebuildOf } from './score.js';
import { SETTINGS, shippedSetting } from './train.js';

/** Figures of people that nothing was trained or chosen on, at one setting. */
export interface AnomalyTestFigures {
  readonly setting: AnomalySetting;
  /** Healthy people's chest straps (mmash), junk and all. */
  readonly straps: NormalFigures;
  readonly ltafdb: EpisodeFigures;
  /** Half an hour each: most of it after the learning time. */
  readonly mitdb: EpisodeFigures;
}

export interface EvaluateAnomalyOptions extends AnomalyDataOptions {
  /** Folder of a training, plain or pruned. */
  readonly modelFolder: string;
  readonly backend?: BackendName | 'auto';
}

/** Runs a trained model over ltafdb, mitdb and mmash: the shipped setting first, then the curve. */
export async function evaluateAnomaly(options: EvaluateAnomalyOptions): Promise<readonly AnomalyTestFigures[]> {
  await openBackend(options.backend ?? 'auto');
  const { fitted } = await loadTraining(options.modelFolder);
  const rebuild = rebuildOf(fitted.model);
  fitted.model.dispose();
  return testFiguresOf(options, fitted.preprocessing, rebuild);
}

export async function testFiguresOf(
  options: AnomalyDataOptions,
  preprocessing: object,
  rebuild: Rebuild,
): Promise<readonly AnomalyTestFigures[]> {
  const judged: JudgedRecord[] = [];
  for (const record of [...(await loadPatients(options)), ...(await loadStraps(options))]) {
    judged.push(await judgeRecord(record, preprocessing, rebuild));
  }
  const of = (database: string) => judged.filter(({ record }) => record.database === database);
  return [shippedSetting(), ...SETTINGS].map(({ on, off, sustainMs, clearMs }) => {
    const setting = { on, off, sustainMs, clearMs };
    return {
      setting,
      straps: normalFigures(of('mmash'), setting),
      ltafdb: episodeFigures(of('ltafdb'), setting, 2),
      mitdb: episodeFigures(of('mitdb'), setting, 2),
    };
  });
}
