import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { inferenceSchema } from '../../src/config/inference.js';
import { bundleFolder, createModels } from '../../src/daemon/models.js';
import { modelInfoOf, rhythmModelOf } from '../../src/daemon/station.js';

const open = (models: object) =>
  createModels(
    inferenceSchema.parse({ models }),
    { record: () => undefined },
    () => undefined,
    pino({ level: 'silent' }),
  );

let folder: string | null = null;
afterEach(async () => {
  if (folder) await rm(folder, { recursive: true, force: true });
  folder = null;
});

describe('the models of a daemon', () => {
  it('the shipped ones are taken by default, each with the constants of its windows', async () => {
    const models = await open({});
    expect(models.reason).not.toContain('refused');
    expect(models.beat).toMatchObject({ name: 'beat' });
    expect(models.rhythm).toMatchObject({ name: 'rhythm' });
    expect(models.rhythm?.preprocessing).toHaveProperty('featureMean');
    expect(rhythmModelOf(models)).toMatchObject({ model: 'rhythm' });
    expect(models.condition()).toBe('starting');
    await models.stop();
  });

  it('a refused rhythm model leaves the beat model and says why', async () => {
    const models = await open({ rhythm: '/nowhere/rhythm-rr' });
    expect(models.beat).not.toBeNull();
    expect(models.rhythm).toBeNull();
    expect(rhythmModelOf(models)).toBeNull();
    expect(models.reason).toContain('/nowhere/rhythm-rr');
    expect(models.condition()).toBe('down');
    await models.stop();
  });

  it('a bundle whose constants do not fit our windows is refused at the start', async () => {
    folder = await mkdtemp(join(tmpdir(), 'slothd-models-'));
    await cp(await bundleFolder('rhythm-rr'), folder, { recursive: true });
    const file = join(folder, 'manifest.json');
    const manifest = JSON.parse(await readFile(file, 'utf8'));
    manifest.preprocessing.featureMean.pop();
    await writeFile(file, JSON.stringify(manifest));
    const models = await open({ rhythm: folder });
    expect(models.rhythm).toBeNull();
    expect(models.reason).toContain('featureMean');
    await models.stop();
  });

  it('none wanted is no fault', async () => {
    const models = await open({ beat: null, rhythm: null, shockable: null });
    expect(models.reason).toBe('');
    models.start();
    expect(modelInfoOf(models, 'atrial-fibrillation')).toBeNull();
    await models.stop();
  });
});

describe('which model an alert names', () => {
  it('the one its kind rests on, and none where no model decides', () => {
    const info = (name: string) => ({ name, sha256: '', precision: 'int8', runtime: '' });
    const slot = <Name extends string>(name: Name) => ({ name, preprocessing: {}, logitOffsets: [] });
    const models = {
      beat: slot('beat' as const),
      rhythm: slot('rhythm' as const),
      port: { infer: () => Promise.resolve(null), state: () => 'ready' as const, info },
    };
    expect(modelInfoOf(models, 'atrial-fibrillation')?.name).toBe('rhythm');
    expect(modelInfoOf(models, 'ventricular-tachycardia')?.name).toBe('beat');
    expect(modelInfoOf(models, 'asystole')).toBeNull();
    expect(modelInfoOf({ ...models, rhythm: null }, 'atrial-fibrillation')).toBeNull();
  });
});
