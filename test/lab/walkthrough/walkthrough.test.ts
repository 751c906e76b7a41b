import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSteps, type StepResult } from '../../../src/lab/walkthrough/run.js';
import { STEPS } from '../../../src/lab/walkthrough/steps.js';

const root = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '');

describe('the walkthrough', () => {
  let folder: string;
  let results: StepResult[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slothd-walkthrough-'));
    results = await runSteps(root, folder);
  }, 300_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('runs from recordings to the alert', async () => {
    const last = results.at(-1)!;
    expect(last.exitCode, last.output).toBe(0);
    expect(results.length).toBe(STEPS.length);
    const manifest = JSON.parse(await readFile(join(folder, 'walkthrough/bundle/manifest.json'), 'utf8'));
    expect(manifest.variants.map(({ id }: { id: string }) => id)).toContain('pruned-int8');
    const alerts = last.output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(alerts[0]).toMatchObject({ event: 'new', kind: 'frequent-ectopy' });
    expect(alerts[0].values.ventricular).toBeGreaterThan(3);
  });

  it('is what the page says: these commands, in this order, and no other', async () => {
    const page = await readFile(join(root, 'docs/walkthrough.md'), 'utf8');
    const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)\n```$/gm)].map(([, block]) => block);
    expect(blocks.slice(1)).toEqual(STEPS.map(({ command }) => command));
    for (const { title, text } of STEPS) {
      expect(page).toContain(title);
      expect(page).toContain(text);
    }
  });
});
