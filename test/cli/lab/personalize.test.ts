import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MADE_UP_RATE_HZ, madeUpHeart } from '../../../src/lab/walkthrough/hearts.js';
import { writeAnnotations, writeRecord } from '../../../src/lab/wfdb/index.js';
import { slothd, startSlothd } from '../../e2e/support/cli.js';
import { freePort, temporaryFolder, until } from '../../e2e/support/world.js';

/** `slothd lab personalize` and the way of its model into the daemon and out again, as a person types it. */

async function ownRecording(folder: string, beatCount: number): Promise<string> {
  const { signal: samples, beats } = madeUpHeart(7, beatCount);
  const path = join(folder, 'own');
  const signals = [{ name: 'MLII', unit: 'mV', gainPerUnit: 200, baseline: 0, samples }];
  await writeRecord(path, { rateHz: MADE_UP_RATE_HZ, signals });
  // Somebody whose wide beats are aberrated atrial ones, says the cardiologist: what no model for everybody can know.
  const own = beats.map((beat) => (beat.symbol === 'V' ? { ...beat, symbol: 'a' } : beat));
  await writeAnnotations(`${path}.atr`, own);
  return path;
}

it('a personal model is made, installed, activated in the running daemon, and rolled back', async () => {
  const folder = temporaryFolder();
  const own = await ownRecording(folder, 900);
  const bundle = join(folder, 'personal');
  const made = await slothd('lab', 'personalize', own, '--out', bundle);
  expect(made.out).toMatch(/head trained on \d+ beats in [\d.]+ s, version \S+\+personal\.[0-9a-f]{8}/);
  expect(made.code).toBe(0);
  const [before, after] = ['before', 'after'].map((row) =>
    Number(new RegExp(`^  ${row} +([\\d.]+) %`, 'm').exec(made.out)![1]),
  );
  expect(after).toBeGreaterThan(before!);
  expect((await slothd('model', 'verify', bundle)).code).toBe(0);

  const file = join(folder, 'slothd.yaml');
  const port = await freePort();
  const config = {
    stateDir: join(folder, 'state'),
    sensors: [{ name: 'chest', format: 'ad8232', link: { type: 'tcp', host: '127.0.0.1', port: 9 } }],
    inference: { timingMs: 0 },
    mqtt: { enabled: false },
    http: { port },
  };
  writeFileSync(file, JSON.stringify(config));
  const daemon = startSlothd(['run', '--config', file]);
  await until('the model', () => daemon.out().includes('"inference ready"'), 60_000);
  const running = async () =>
    /"bundle":"(beat-ecg[^"]*)"/.exec(await (await fetch(`http://127.0.0.1:${port}/about`)).text())?.[1];
  expect(await running()).toBe('beat-ecg');

  const installed = await slothd('model', 'install', bundle, '--config', file);
  expect(installed).toMatchObject({ code: 0, out: expect.stringMatching(/installed beat-ecg@\S+/) });
  expect(await running()).toBe('beat-ecg');
  const [, id] = /installed (beat-ecg@\S+)/.exec(installed.out)!;
  const activated = await slothd('model', 'activate', id!, '--config', file);
  expect(activated).toMatchObject({ code: 0, out: expect.stringMatching(/runs in the daemon/) });
  expect(await running()).toMatch(/^beat-ecg@.*personal/);
  const back = await slothd('model', 'rollback', 'beat-ecg', '--config', file);
  expect(back).toMatchObject({ code: 0, out: expect.stringMatching(/back to shipped[\s\S]*runs in the daemon/) });
  expect(await running()).toBe('beat-ecg');
}, 180_000);

it('says in one line what is wrong, exits 1 and writes nothing', async () => {
  const folder = temporaryFolder();
  const short = await ownRecording(folder, 60);
  const text = join(folder, 'beats.atr');
  writeFileSync(text, 'these are no annotations');
  const out = join(folder, 'out');
  const cases: readonly (readonly [RegExp, ...string[]])[] = [
    [/nobody is neither a capture of `slothd record` nor a WFDB record/, join(folder, 'nobody')],
    [/beats can be judged, at least 300 are needed/, short],
    [/has no signal 'V9'; it has MLII/, short, '--signal', 'V9'],
    [/beats\.atr: is/, short, '--beats', text],
    [/gone\.atr: cannot be read/, short, '--beats', join(folder, 'gone.atr')],
    [/no-such-model/, short, '--from', 'no-such-model'],
  ];
  for (const [message, ...args] of cases) {
    const { code, err } = await slothd('lab', 'personalize', ...args, '--out', out);
    expect(err, args.join(' ')).toMatch(message);
    expect(err, args.join(' ')).not.toMatch(/^ +at |fault of our own/m);
    expect(code, args.join(' ')).toBe(1);
  }
  expect(existsSync(out)).toBe(false);
}, 120_000);
