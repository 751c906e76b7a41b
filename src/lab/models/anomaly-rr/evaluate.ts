import { type BackendName, openBackend } from '../../backend.js';
import { loadTraining } from './bundle.js';
import { type AnomalyDataOptions, loadTest } from './data.js';
import { type EpisodeFigures, episodeFigures, type NormalFigures, normalFigures } from './figures.js';
import { type AnomalySetting, type Answer, answerOf, type JudgedRecord, judgeRecord } from './score.js';
import { SETTINGS, shippedSetting } from './train.js';

/** Figures of people that nothing was trained or chosen on, at one setting. */
export interface AnomalyTestFigures {
  readonly setting: AnomalySetting;
  /** People of normal rhythm (a quarter of nsr2db). */
  readonly normal: NormalFigures;
  /** Healthy people's chest straps (half of mmash), junk and all. */
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

/** Runs a trained model over the people kept for the test: the shipped setting first, then the curve. */
export async function evaluateAnomaly(options: EvaluateAnomalyOptions): Promise<readonly AnomalyTestFigures[]> {
  await openBackend(options.backend ?? 'auto');
  const { fitted } = await loadTraining(options.modelFolder);
  const answer = answerOf(fitted.model);
  fitted.model.dispose();
  return testFiguresOf(options, fitted.preprocessing, answer);
}

export async function testFiguresOf(
  options: AnomalyDataOptions,
  preprocessing: object,
  answer: Answer,
): Promise<readonly AnomalyTestFigures[]> {
  const judged: JudgedRecord[] = [];
  for (const record of await loadTest(options)) judged.push(await judgeRecord(record, preprocessing, answer));
  const of = (database: string) => judged.filter(({ record }) => record.database === database);
  return [shippedSetting(), ...SETTINGS].map(({ on, off, sustainMs, clearMs }) => {
    const setting = { on, off, sustainMs, clearMs };
    return {
      setting,
      normal: normalFigures(of('nsr2db'), setting),
      straps: normalFigures(of('mmash'), setting),
      ltafdb: episodeFigures(of('ltafdb'), setting, 2),
      mitdb: episodeFigures(of('mitdb'), setting, 2),
    };
  });
}
