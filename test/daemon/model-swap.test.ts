import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inferenceSchema } from '../../src/config/inference.js';
import { SHIPPED_MODELS } from '../../src/daemon/bundle-choice.js';
import type { Models } from '../../src/daemon/models.js';
import { InstalledModels, SHIPPED } from '../../src/inference/bundle/installed.js';
import { HOST_ENTRY } from '../inference/helpers.js';

const MODULE = join(HOST_ENTRY, '../../../daemon/models.js');

interface Editable {
  readonly output: object;
  readonly golden: { readonly outputs: Record<string, number[][]> };
}

let state: string;
let installed: InstalledModels;
let running: Models | null = null;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'slothd-swap-'));
  installed = new InstalledModels(state);
});
afterEach(async () => {
  await running?.stop();
  rmSync(state, { recursive: true, force: true });
});

/** The shipped beat model under another version; `edit` may spoil it. */
async function another(version: string, edit: (manifest: Editable) => void = () => {}) {
  const folder = join(state, `source-${version}`);
  cpSync(join(SHIPPED_MODELS, 'beat-ecg'), folder, { recursive: true });
  const file = join(folder, 'manifest.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  manifest.version = version;
  edit(manifest);
  writeFileSync(file, JSON.stringify(manifest));
  return installed.install(folder, [], async () => {});
}

async function start(): Promise<Models> {
  const { createModels } = (await import(pathToFileURL(MODULE).href)) as typeof import('../../src/daemon/models.js');
  const settings = inferenceSchema.parse({ models: { rhythm: null }, variant: 'default', deadlineMs: 5000 });
  running = await createModels(
    settings,
    { record: () => undefined },
    () => undefined,
    pino({ level: 'silent' }),
    state,
  );
  await running.startAndWait();
  return running;
}

const manifestOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));

describe('model bundles in a running daemon', () => {
  it('are swapped without a lost beat, constants and offsets with them', async () => {
    const models = await start();
    expect(models.condition()).toBe('ready');
    const golden = manifestOf(join(SHIPPED_MODELS, 'beat-ecg')).golden.inputs[0] as number[][];
    const inputs = golden.map((values) => Float32Array.from(values));
    const { id } = await another('2.0', (manifest) => Object.assign(manifest.output, { logitOffsets: [0, 1, 2] }));
    await installed.activate('beat-ecg', id);

    let asked = 0;
    const answers: Promise<Float32Array | null>[] = [];
    const asking = setInterval(() => {
      asked++;
      answers.push(models.port.infer('beat', inputs));
    }, 2);
    const refreshed = await models.refresh!();
    await new Promise((resolve) => setTimeout(resolve, 50));
    clearInterval(asking);
    const all = await Promise.all(answers);
    expect(refreshed).toMatchObject({ outcome: 'swapped', says: expect.stringContaining(id) });
    expect(asked).toBeGreaterThan(20);
    expect(all.filter((answer) => answer === null)).toHaveLength(0);
    expect(models.beat?.logitOffsets).toEqual([0, 1, 2]);
    expect(models.stats()).toMatchObject({ items: asked, lost: 0, unavailable: 0, respawns: 0 });

    await installed.rollback('beat-ecg');
    expect(await models.refresh!()).toMatchObject({ outcome: 'swapped' });
    expect(models.beat?.logitOffsets).not.toEqual([0, 1, 2]);
    expect(await models.refresh!()).toMatchObject({ outcome: 'unchanged' });
  });

  it('one that fails is refused in the running daemon, and the former one stays', async () => {
    const models = await start();
    const pid = models.stats().hostPid;
    const wrong = await another('3.0', (manifest) => {
      for (const cases of Object.values(manifest.golden.outputs)) cases[0]![0] = 1e6;
    });
    await installed.activate('beat-ecg', wrong.id);
    const refreshed = await models.refresh!();
    expect(refreshed).toMatchObject({ outcome: 'refused', says: expect.stringMatching(/golden case 0/) });
    expect(models.condition()).toBe('ready');
    expect(models.stats().hostPid).toBe(pid);
    expect(models.note).toMatch(/refused, the former models stay: .*golden case 0/);
  });

  it('one that fails at the start gives way to the former one, and the note says why', async () => {
    const good = await another('2.0');
    const spoilt = await another('3.0');
    const wrong = await another('4.0', (manifest) => {
      for (const cases of Object.values(manifest.golden.outputs)) cases[0]![0] = 1e6;
    });
    await installed.activate('beat-ecg', good.id);
    await installed.activate('beat-ecg', spoilt.id);
    await installed.activate('beat-ecg', wrong.id);
    writeFileSync(join(spoilt.folder, 'model.onnx'), 'spoilt');
    const models = await start();
    expect(models.condition()).toBe('ready');
    expect(models.note).toMatch(new RegExp(`beat-ecg@${good.id} runs, for a newer one is refused: .*golden case 0`));
    expect(await installed.candidates('beat-ecg')).toContain(SHIPPED);
  });
});
