import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { loadBundle } from '../../../src/inference/bundle/load.js';
import { NATIVE_RUNTIME } from '../../../src/inference/host/messages.js';
import { openModel } from '../../../src/inference/host/session.js';
import { findDatabase } from '../../../src/lab/data/find.js';
import { type OwnRecording, personalize } from '../../../src/lab/personalize/index.js';
import { estimatePriors, likelihoodGain } from '../../../src/lab/personalize/priors.js';
import { normal, seededRandom } from '../../../src/lab/random.js';
import { isBeatSymbol, readAnnotations, readRecord } from '../../../src/lab/wfdb/index.js';

const mitdb = findDatabase('mitdb');
const work = mkdtempSync(join(tmpdir(), 'slothd-personal-'));
const bundleFolder = join('models', 'beat-ecg');

async function recordingOf(path: string, labelled: boolean): Promise<OwnRecording> {
  const { signals, rateHz, name } = await readRecord(path);
  const beats = (await readAnnotations(`${path}.atr`)).filter(({ symbol }) => isBeatSymbol(symbol));
  return { name, rateHz, samples: signals[0]!.samples, beats, labelled };
}

describe('a model for one person', () => {
  it.skipIf(!mitdb)('has a head trained on reviewed beats, and says how it does on those held out', async () => {
    const recording = await recordingOf(join(mitdb!, '232'), true);
    const outDir = join(work, 'head');
    const { before, after, trainedBeats } = await personalize({ bundleFolder, recording, outDir });
    expect(trainedBeats).toBeGreaterThan(1000);
    // Record 232: nearly all beats are supraventricular, and the shipped model takes most of them for normal ones.
    expect(before!.accuracy).toBeLessThan(0.5);
    expect(after!.accuracy).toBeGreaterThan(0.95);
    const { manifest } = await loadBundle(outDir);
    expect(manifest.name).toBe('beat-ecg');
    const { version } = (await loadBundle(bundleFolder)).manifest;
    expect(manifest.training).toMatchObject({ personal: { method: 'head', parent: { version } } });
    for (const { id } of manifest.variants) {
      await openModel(ort, NATIVE_RUNTIME, { slot: 'beat', dir: outDir, variant: id }, 0);
    }
  });

  it.skipIf(!mitdb)('is recalibrated where nobody reviewed the beats: only offsets change', async () => {
    const recording = await recordingOf(join(mitdb!, '232'), false);
    const outDir = join(work, 'offsets');
    const result = await personalize({ bundleFolder, recording, outDir });
    expect(result.likelihoodGain).toBeGreaterThan(0);
    const [own, shipped] = [await loadBundle(outDir), await loadBundle(bundleFolder)];
    const former = shipped.manifest.output.logitOffsets ?? [0, 0, 0];
    expect(own.manifest.output.logitOffsets).not.toEqual(former);
    own.manifest.output.logitOffsets!.forEach((offset, c) => {
      expect(Math.abs(offset - former[c]!)).toBeLessThanOrEqual(1.0001);
    });
  });

  it('is refused where labels make nothing better, and nothing is written', async () => {
    if (!mitdb) return;
    const recording = await recordingOf(join(mitdb, '200'), true);
    // Labels that mean nothing.
    const random = seededRandom(3);
    const beats = recording.beats.map((beat) => ({ ...beat, symbol: ['N', 'A', 'V'][Math.floor(random() * 3)]! }));
    const outDir = join(work, 'refused');
    const half = beats.map((beat, i) => (i < beats.length * 0.6 ? beat : recording.beats[i]!));
    await expect(personalize({ bundleFolder, recording: { ...recording, beats: half }, outDir })).rejects.toThrow(
      /not better on the \d+ held-out beats, so nothing was written/,
    );
    await expect(loadBundle(outDir)).rejects.toThrow();
  });

  it.skipIf(!mitdb)('is refused where the beats are those of another recording', async () => {
    const own = await recordingOf(join(mitdb!, '232'), true);
    const { beats } = await recordingOf(join(mitdb!, '208'), true);
    const outDir = join(work, 'strange');
    await expect(personalize({ bundleFolder, recording: { ...own, beats }, outDir })).rejects.toThrow(
      /only \d+ % of the \d+ annotated beats stand where the recording has one: are they of this recording/,
    );
  });

  it('needs enough beats', async () => {
    const recording = await recordingOf(join('test', 'fixtures', 'wfdb', '100'), true);
    await expect(personalize({ bundleFolder, recording, outDir: join(work, 'few') })).rejects.toThrow(
      /beats can be judged, at least 300 are needed/,
    );
  });
});

describe('shares of classes without labels', () => {
  it('are found again where only they differ from training, and describe other beats better', () => {
    const random = seededRandom(5);
    const trained = [0.5, 0.3, 0.2];
    const draw = (count: number) => {
      const logits: number[] = [];
      for (let i = 0; i < count; i++) {
        const u = random();
        const x = (u < 0.8 ? -0.7 : u < 0.9 ? 0 : 0.7) + 0.5 * normal(random);
        // p(x | class), deviation 0.5 as drawn.
        const likelihoods = [Math.exp(-2 * (x + 0.7) ** 2), Math.exp(-2 * x ** 2), Math.exp(-2 * (x - 0.7) ** 2)];
        logits.push(...likelihoods.map((l, c) => Math.log(l * trained[c]!)));
      }
      return Float32Array.from(logits);
    };
    const { offsets, shares } = estimatePriors(draw(2000), trained, [0, 0, 0]);
    expect(shares[0]).toBeCloseTo(0.8, 1);
    expect(likelihoodGain(draw(2000), trained, [0, 0, 0], offsets)).toBeGreaterThan(0);
    expect(likelihoodGain(draw(2000), trained, [0, 0, 0], [0, 1, 1])).toBeLessThan(0);
  });
});
