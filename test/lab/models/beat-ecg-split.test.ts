import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadBundle } from '../../../src/inference/bundle/load.js';
import { parsePreprocessing } from '../../../src/inference/windows/beat-ecg.js';
import { loadBeatRecord } from '../../../src/lab/data/beat-records.js';
import { joinedPatients, patientOf, type Split, splitFrom } from '../../../src/lab/data/split-file.js';
import { reevaluate } from '../../../src/lab/export/index.js';
import { type BeatEcgTraining, readTraining } from '../../../src/lab/models/beat-ecg/bundle.js';
import { loadIntervalRecords } from '../../../src/lab/models/beat-ecg/data.js';
import { evaluateBeatEcg } from '../../../src/lab/models/beat-ecg/evaluate.js';
import { exportBeatEcg } from '../../../src/lab/models/beat-ecg/export.js';
import { pruneBeatEcg } from '../../../src/lab/models/beat-ecg/prune.js';
import { quantizeBeatEcg } from '../../../src/lab/models/beat-ecg/quantize.js';
import { BEAT_ECG_RECIPE } from '../../../src/lab/models/beat-ecg/recipe.js';
import { beatSplit, checkedSplit, foldCount, foldsOf, readOwnSplit } from '../../../src/lab/models/beat-ecg/split.js';
import { beatEcgTestSet } from '../../../src/lab/models/beat-ecg/test-set.js';
import { trainBeatEcg } from '../../../src/lab/models/beat-ecg/train.js';
import { MADE_UP_RATE_HZ, madeUpHeart } from '../../../src/lab/walkthrough/hearts.js';
import { type Annotation, writeAnnotations, writeRecord } from '../../../src/lab/wfdb/index.js';
import { slothd } from '../../e2e/support/cli.js';

/** beat-ecg trained on recordings of somebody's own: made-up ones of two wards, under names that slothd knows nothing of. */

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slothd-own-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Heart {
  readonly beatCount?: number;
  readonly comments?: readonly string[];
  readonly leads?: number;
  change?(beats: Annotation[]): Annotation[];
}

async function write(
  record: string,
  seed: number,
  { beatCount = 130, comments = [], leads = 1, change }: Heart = {},
): Promise<void> {
  const { signal: samples, beats } = madeUpHeart(seed, beatCount);
  const lead = { name: 'II', unit: 'mV', gainPerUnit: 200, baseline: 0, samples };
  await mkdir(join(folder, record, '..'), { recursive: true });
  await writeRecord(join(folder, record), {
    rateHz: MADE_UP_RATE_HZ,
    comments: [...comments],
    signals: new Array(leads).fill(lead),
  });
  await writeAnnotations(join(folder, `${record}.atr`), change ? change(beats) : beats);
}

async function splitFile(split: object): Promise<string> {
  const file = join(folder, 'mine.json');
  await writeFile(file, JSON.stringify(split));
  return file;
}

describe('recordings of one own', () => {
  const own = ['north/1', 'north/2', 'north/3', 'south/1', 'south/2', 'south/3'];
  const recipe = { ...BEAT_ECG_RECIPE, epochs: 3, stepsPerEpoch: 8, batchSize: 64, svdbShare: null };
  const at = (name: string) => join(folder, 'work', name);
  let data: { dataFolder: string; cacheFolder: string };
  let training: BeatEcgTraining;

  beforeAll(async () => {
    for (const [i, record] of [...own, 'south/8', 'south/9'].entries()) {
      const patient = record === 'north/1' || record === 'north/3' ? ['patient: 7'] : [];
      await write(record, i + 1, { comments: patient, leads: i === 0 ? 2 : 1 });
    }
    data = { dataFolder: folder, cacheFolder: at('cache') };
    const file = await splitFile({ title: 'Two wards', parts: { train: own, test: ['south/8', 'south/9'] } });
    const split = await checkedSplit(file, readOwnSplit(file), folder);
    training = await trainBeatEcg({
      ...{ ...data, split, recipe, backend: 'wasm', folds: 3, outFolder: at('float') },
    });
  }, 60_000);

  it('are trained on by person, and the training says whose they were', async () => {
    expect(training.split).toMatchObject({ name: 'mine', title: 'Two wards', patients: [['north/1', 'north/3']] });
    expect(training.trainedOn).toEqual(own);
    expect(training.validation!.method).toBe(
      "3 folds by patient over north, south of split 'mine'; offsets chosen on the same folds (not nested)",
    );
    expect(Object.keys(training.validation!.databases)).toEqual(['north', 'south']);
    expect(training.validation!.composite).toBeGreaterThan(0.5);
    const split = beatSplit(training.split);
    expect(foldCount(split)).toBe(5);
    const records = own.map((name) => ({ database: name.split('/')[0]!, record: name.split('/')[1]! }));
    const folds = foldsOf(split, records as never, 3);
    expect(folds[0]).toBe(folds[2]);
    expect(new Set(folds).size).toBe(3);
  });

  it('are followed by pruning, quantizing, export and evaluation, none of which is told of the split', async () => {
    const pruned = await pruneBeatEcg({
      ...{ ...data, modelFolder: at('float'), outFolder: at('pruned'), sparsity: 0.5, folds: 0, backend: 'wasm' },
    });
    expect(pruned.split).toEqual(training.split);
    expect(pruned.trainedOn).toEqual(own);
    for (const part of ['float', 'pruned']) {
      const { calibration } = await quantizeBeatEcg({ ...data, modelFolder: at(part), outFolder: at(`${part}/onnx`) });
      expect(calibration.from).toBe(
        "40 beats, evenly spread, of each of 6 training records (north, south of split 'mine')",
      );
    }
    const { manifest } = await exportBeatEcg({
      ...data,
      ...{ floatFolder: at('float'), prunedFolder: at('pruned'), outDir: at('bundle'), version: '1' },
      ...{ floatOnnxFolder: at('float/onnx'), prunedOnnxFolder: at('pruned/onnx'), minAgreement: 0.95 },
    });
    expect(manifest.training).toMatchObject({ data: expect.stringContaining('Two wards'), split: training.split });
    const card = await readFile(join(at('bundle'), 'CARD.md'), 'utf8');
    expect(card).toContain('Two wards. Trained on 6 recordings of 5 people, tested on\n2 recordings of 2 people');
    expect(card).toContain("2 recordings of south of split 'mine', 2 people never trained");
    expect(card).not.toMatch(/DS1|DS2|svdb|232|Goldberger/);

    const { pooled, records, ...figures } = await evaluateBeatEcg({ ...data, modelFolder: at('float') });
    expect(records.map(({ record }) => record)).toEqual(['south/8', 'south/9']);
    expect(pooled.beats).toBe(260);
    expect(figures).not.toHaveProperty('without232');
    const again = await reevaluate(at('bundle'), ({ training: told, preprocessing }) =>
      beatEcgTestSet(
        { ...data, split: beatSplit(splitFrom('', told.split)) },
        parsePreprocessing({ ...preprocessing }),
      ),
    );
    expect(again.variants.map(({ id, differs }) => [id, differs])).toEqual(
      (await loadBundle(at('bundle'))).manifest.variants.map(({ id }) => [id, {}]),
    );
    expect(Object.keys(again.variants[0]!.figures)).not.toContain('S F1 without 232');
    // Another split's pruned model is none of this one's.
    await writeFile(
      join(at('pruned'), 'training.json'),
      JSON.stringify({ ...(await readTraining(at('pruned'))), split: undefined }),
    );
    await expect(
      exportBeatEcg({
        ...data,
        ...{ floatFolder: at('float'), prunedFolder: at('pruned'), outDir: at('bundle'), version: '2' },
        ...{ floatOnnxFolder: at('float/onnx'), prunedOnnxFolder: at('pruned/onnx') },
      }),
    ).rejects.toThrow(/different splits/);
  }, 60_000);

  it('a database that the split names lends no intervals', async () => {
    await mkdir(join(folder, 'nsr2db'), { recursive: true });
    await writeFile(join(folder, 'nsr2db', 'x.hea'), 'x 0 128 1000\n');
    const split = beatSplit(splitFrom('', { parts: { train: ['north/1'], test: ['nsr2db/x'] } }));
    expect(await loadIntervalRecords({ ...data, split })).toEqual([]);
    await expect(loadIntervalRecords(data)).rejects.toThrow(/nsr2db/);
    await rm(join(folder, 'nsr2db'), { recursive: true });
  });

  it('an annotation that is corrected is read anew, and the clock of the annotation file is heeded', async () => {
    const load = () => loadBeatRecord(join(folder, 'clock'), 'c', at('cache'));
    await write('clock/c', 5);
    const before = await load();
    await write('clock/c', 5, {
      change: (beats) => beats.map((beat) => ({ ...beat, symbol: beat.symbol === 'V' ? 'A' : beat.symbol })),
    });
    const after = await load();
    expect(before.classes.includes(2)).toBe(true);
    expect(after.classes.includes(2)).toBe(false);
    const clock: Annotation = {
      ...{ sample: 0, symbol: '"', subtype: 0, chan: 0, num: 0 },
      aux: `## time resolution: ${2 * MADE_UP_RATE_HZ}`,
    };
    await write('clock/c', 5, {
      change: (beats) => [clock, ...beats.map((beat) => ({ ...beat, sample: 2 * beat.sample }))],
    });
    expect((await load()).features).toEqual(before.features);
  });
});

describe('who is one person', () => {
  it.each([
    ['patient: 7', '7'],
    ['Patient ID: A-12 ', 'A-12'],
    ['subject = 3', '3'],
    ['patient 12', '12'],
    ['Subject no. 4', '4'],
    ['Patient was moving', null],
    ['the patient: 7', null],
    ['<age>: 65 <sex>: F', null],
  ])('a header says: %s', (comment, patient) => {
    expect(patientOf(['69 M', comment])).toBe(patient);
  });

  it('groups with a record in common are one', () => {
    expect(joinedPatients([['a/1', 'a/2'], ['b/1'], ['b/3', 'b/2'], ['a/2', 'b/2']])).toEqual([
      ['a/1', 'a/2', 'b/2', 'b/3'],
    ]);
  });
});

describe('a split that cannot be trained on ends with one line, exit 1', () => {
  const parts = { train: ['north/1', 'north/2', 'south/1'], test: ['south/9'] };
  const cases: readonly [string, object, RegExp, readonly string[]][] = [
    ['a part nobody uses', { parts: { ...parts, validation: ['x/1'] } }, /part "validation" is none of/, []],
    ['nobody to train on', { parts: { test: ['south/9'] } }, /no records to train on/, []],
    ['nobody to test on', { parts: { train: ['north/1'] } }, /no records to test on/, []],
    ['folds and train', { parts: { ...parts, 'fold-1': ['a/1'], 'fold-2': ['a/2'] } }, /"train" and folds/, []],
    ['an empty fold', { parts: { 'fold-1': ['north/1'], 'fold-2': [], test: ['south/9'] } }, /two folds at least/, []],
    ['an unknown record', { parts: { ...parts, test: ['south/77'] } }, /record south\/77: there is no .*77\.hea/, []],
    ['a record without beats', { parts: { ...parts, test: ['bare/1'] } }, /bare\/1: there is no .*1\.atr/, []],
    [
      'one person in both',
      { parts, patients: [['north/2', 'south/9']] },
      /north\/2 is in part "train", south\/9 is/,
      [],
    ],
    ['the same by header', { parts: { train: ['north/1'], test: ['north/3'] } }, /one person is in different/, []],
    ['too few people', { parts }, /3 people cannot be dealt to 4 folds/, ['--folds', '4']],
    ['a class nobody has', { parts: { train: ['calm/1', 'calm/2'], test: ['south/9'] } }, /no beats of class S/, []],
    [
      'a class of one fold',
      { parts: { 'fold-1': ['calm/1'], 'fold-2': ['north/1'], test: ['south/9'] } },
      /class S are in one fold alone \(north\/1\)/,
      [],
    ],
    ['only rhythms annotated', { parts: { ...parts, train: ['bare/2'] } }, /2\.atr: holds no annotated beats/, []],
    ["another recording's beats", { parts: { ...parts, train: ['bare/3'] } }, /lie beyond the recording/, []],
    ['damaged signals', { parts: { ...parts, train: ['bare/4'] } }, /4\.dat/, []],
  ];

  beforeAll(async () => {
    await write('bare/1', 1);
    await rm(join(folder, 'bare/1.atr'));
    await write('bare/2', 1, { change: ([first]) => [{ ...first!, symbol: '+', aux: '(N' }] });
    await write('bare/3', 1, { change: (beats) => beats.map((beat) => ({ ...beat, sample: 5 * beat.sample })) });
    await write('bare/4', 1);
    await writeFile(join(folder, 'bare/4.dat'), 'short');
    for (const i of [1, 2]) {
      await write(`calm/${i}`, i, { change: (beats) => beats.map((beat) => ({ ...beat, symbol: 'N' })) });
    }
  });

  it.each(cases)('%s', async (_, split, message, args) => {
    const trained = async () => {
      const file = await splitFile(split);
      const known: Split = await checkedSplit(file, readOwnSplit(file), folder);
      const folds = args.length > 0 ? { folds: Number(args[1]) } : {};
      const out = { outFolder: join(folder, 'never'), backend: 'wasm' as const };
      return trainBeatEcg({ dataFolder: folder, cacheFolder: null, split: known, ...out, ...folds });
    };
    await expect(trained()).rejects.toThrow(message);
  });

  it('as a person types it', async () => {
    const told = async (...args: string[]) => {
      const { code, err } = await slothd('lab', 'train', ...args, '--out', join(folder, 'never'));
      expect(code, err).toBe(1);
      const lines = err.split('\n').filter((line) => line !== '' && !line.startsWith('computing with'));
      expect(lines, err).toHaveLength(1);
      return lines[0];
    };
    const shared = await splitFile({ parts, patients: [['north/2', 'south/9']] });
    expect(await told('--split', shared, '--data', folder)).toMatch(
      /^slothd: .*mine\.json: one person is in different/,
    );
    expect(await told('--split', shared, '--model', 'rhythm-rr')).toMatch(/rhythm-rr takes no --split/);
  }, 60_000);
});

it('`data split --test` deals what `lab train --split` takes, people by their headers', async () => {
  for (const [i, record] of ['a', 'b', 'c', 'd', 'e', 'f'].entries()) {
    await write(`dealt/${record}`, 20 + i, { comments: i < 2 ? ['Subject ID: x'] : [], beatCount: 20 });
  }
  const file = join(folder, 'dealt.json');
  const made = await slothd(
    'data',
    'split',
    '--of',
    'dealt',
    '--data',
    folder,
    '--folds',
    '3',
    '--test',
    '--out',
    file,
  );
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/fold-1 \d, fold-2 \d, test \d/) });
  const split = await checkedSplit(file, readOwnSplit(file), folder);
  expect(split.patients).toEqual([['dealt/a', 'dealt/b']]);
  expect(Object.values(split.parts).flat().sort()).toHaveLength(6);
  expect(foldCount(beatSplit(split))).toBe(2);
}, 30_000);
