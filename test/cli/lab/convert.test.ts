import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { slothd } from '../../e2e/support/cli.js';
import { temporaryFolder } from '../../e2e/support/world.js';
import { unpackModels } from '../../lab/convert/fixtures.js';

/** `slothd lab convert` as a person types it who brings a model. */

const { folder: models } = unpackModels();
const model = join(models, 'plain_cnn.v2.h5');

it('makes a bundle in six steps that `model verify` takes', async () => {
  const out = join(temporaryFolder(), 'bundle');
  const windows = join(temporaryFolder(), 'windows.csv');
  const row = (i: number) => Array.from({ length: 96 }, (_, k) => Math.sin(k / (3 + (i % 7))).toFixed(3)).join(',');
  writeFileSync(windows, Array.from({ length: 40 }, (_, i) => row(i)).join('\n'));
  const made = await slothd('lab', 'convert', model, '--strategy', 'static', '--data', windows, '--out', out);
  expect(made.err.replace(/^ {4}.*\n/gm, '')).toBe('');
  expect(made.code).toBe(0);
  for (const step of [
    '1/6 model',
    '2/6 strategy',
    '3/6 data type',
    '4/6 representative dataset',
    '5/6 convert',
    '6/6 bundle',
  ]) {
    expect(made.out).toContain(step);
  }
  expect((await slothd('model', 'verify', out)).out).toMatch(/^fp32 +good[\s\S]*^int8 +good/m);
});

it('says in one line what is wrong, exits 1 and leaves nothing behind', async () => {
  const folder = temporaryFolder();
  const out = join(folder, 'out');
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const cases: readonly (readonly [RegExp, ...string[]])[] = [
    [/no-such\.keras: there is no such file or folder/, join(folder, 'no-such.keras')],
    [/broken\.keras: /, file('broken.keras', 'no zip at all')],
    [/broken\.h5: /, file('broken.h5', 'no hdf5 at all')],
    [/broken\.onnx/, file('broken.onnx', 'no protobuf at all')],
    [/notes\.txt: /, file('notes.txt', 'no model')],
    [/static int8 needs a representative dataset/, model, '--strategy', 'static'],
    [/data type int16 does not go with strategy none/, model, '--strategy', 'none', '--type', 'int16'],
    [/two\.csv: /, model, '--data', file('two.csv', '1,2\n3,4\n')],
    [/words\.csv, row 2, column 1: "c" is not a number/, model, '--data', file('words.csv', 'a,b\nc,d\n')],
    [/gone\.npy/, model, '--data', join(folder, 'gone.npy')],
    [/--name .*: lower-case letters/, model, '--name', 'My Model!'],
    [/no output 'nope'|'nope'/, model, '--output', 'nope'],
  ];
  for (let i = 0; i < cases.length; i += 2) {
    await Promise.all(
      cases.slice(i, i + 2).map(async ([message, ...args]) => {
        const { code, err } = await slothd('lab', 'convert', ...args, '--out', out);
        expect(err, args.join(' ')).toMatch(message);
        expect(
          err.split('\n').filter((line) => line.startsWith('slothd: ')),
          args.join(' '),
        ).toHaveLength(1);
        expect(err, args.join(' ')).not.toMatch(/^ +at |fault of our own/m);
        expect(code, args.join(' ')).toBe(1);
      }),
    );
  }
  expect(existsSync(out)).toBe(false);
}, 120_000);
