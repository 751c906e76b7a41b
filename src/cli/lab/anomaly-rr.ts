import { UsageError } from '../usage-error.js';
import { announceBackend, type LabModel, labImport, refuseAugmentation, reporter, say, workFolder } from './model.js';
import { exportStep, findData, pruneStep, quantizeStep, refuseTrainingOptions, tableStep } from './steps.js';

const NAME = 'anomaly-rr';
const load = () => labImport(() => import('../../lab/models/anomaly-rr/index.js'));
const trainingData = findData(NAME, 'nsr2db');
const testData = findData(NAME, 'mitdb');
/** People that settings are chosen on, and most of the test. */
const peopleData = findData(NAME, 'ltafdb');

/** Departure from a person's own usual rhythm: trained on nsr2db, its setting chosen on half of ltafdb and mmash, tested on the rest and mitdb. */
export const anomalyRr: LabModel = {
  async train({ out = workFolder(NAME, 'float'), folds, seed, epochs, backend, ...options }) {
    refuseTrainingOptions(NAME, options);
    refuseAugmentation(NAME, options, 'it sees RR intervals, no signal');
    await announceBackend(backend);
    const { trainAnomaly } = await load();
    const { bar, onProgress } = reporter();
    const training = await trainAnomaly({
      ...(await trainingData(options)),
      ...{ outFolder: out, crossValidates: folds !== 0, seed, backend, onProgress },
      recipe: epochs ? { epochs } : {},
    });
    bar.end();
    say(`${out}: trained on ${training.trainedOn.length} records with ${training.backend}`);
    say(JSON.stringify(training.validation, null, 1));
  },

  prune: pruneStep(NAME, trainingData, async (step) => (await load()).pruneAnomaly(step)),

  pruningTable: tableStep(NAME, trainingData, async (step) => (await load()).anomalyPruningTable(step)),

  quantize: quantizeStep(NAME, trainingData, async (step) => (await load()).quantizeAnomaly(step)),

  export: exportStep(NAME, testData, async (step) => (await load()).exportAnomaly(step)),

  async testSet({ preprocessing }, options) {
    const { anomalyTestSet } = await load();
    const { parseAnomalyPreprocessing } = await import('../../inference/windows/anomaly-rr.js');
    return anomalyTestSet(await testData(options), parseAnomalyPreprocessing({ ...preprocessing }));
  },

  async evaluate(folder = workFolder(NAME, 'float'), options) {
    if (options.events !== undefined) throw new UsageError('anomaly-rr is judged on whole records: no --events');
    const { evaluateAnomaly } = await load();
    const { bar, onReading } = reporter();
    const curve = await evaluateAnomaly({
      ...(await peopleData(options)),
      modelFolder: folder,
      onProgress: onReading,
    });
    bar.end();
    if (options.json) {
      say(JSON.stringify(curve, null, 1));
      return;
    }
    say('episodes of 2 min and more found; alerts on healthy people; the shipped setting first');
    for (const { setting, normal, ltafdb, mitdb, straps } of curve) {
      const found = [ltafdb, mitdb].map(
        (one) => `${one.found} of ${one.episodes} (${(100 * one.sensitivity).toFixed(1)} %)`,
      );
      say(
        `above ${setting.on} for ${setting.sustainMs / 1000} s: ltafdb ${found[0]}, mitdb ${found[1]}, nsr2db ${normal.per24h.toFixed(2)} and mmash ${straps.per24h.toFixed(2)} alerts per 24 h`,
      );
    }
    for (const [name, { kinds }] of Object.entries({ ltafdb: curve[0]!.ltafdb, mitdb: curve[0]!.mitdb })) {
      const parts = Object.entries(kinds).map(([kind, { found, episodes }]) => `${kind} ${found} of ${episodes}`);
      say(`${name}, shipped setting: ${parts.join(', ')}`);
    }
  },
};
