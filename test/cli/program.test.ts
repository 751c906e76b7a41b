import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { VERBS } from '../../src/cli/verbs.js';
import { MAIN, slothd, startSlothd } from '../e2e/support/cli.js';
import { temporaryFolder } from '../e2e/support/world.js';

/** The program as a person types it. */

const NAMES = VERBS.map(([name]) => name);

/** Two at a time: there are two cores, and each is a process. */
async function inPairs<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += 2) results.push(...(await Promise.all(items.slice(i, i + 2).map(run))));
  return results;
}

describe('help', () => {
  it('of the program lists every verb; of every verb exits 0 and says what it does', async () => {
    const { code, out } = await slothd('--help');
    expect(code).toBe(0);
    expect(NAMES.length).toBeGreaterThanOrEqual(10);
    for (const verb of NAMES) expect(out).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
    await inPairs(NAMES, async (verb) => {
      const help = await slothd(verb, '--help');
      expect(help.code, verb).toBe(0);
      expect(help.err, verb).toBe('');
      expect(help.out).toMatch(new RegExp(`^Usage: (slothd )?${verb}\\b`));
      expect(help.out.length, verb).toBeGreaterThan(100);
    });
  }, 90_000);
});

describe('wrong usage exits 1', () => {
  const yaml = join(fileURLToPath(new URL('../../config/', import.meta.url)), 'slothd.example.yaml');

  it('and says what is wrong, on standard error alone', async () => {
    const folder = temporaryFolder();
    const bad = join(folder, 'bad.yaml');
    writeFileSync(
      bad,
      [
        'sensors:',
        '  - name: chest',
        '    format: protocentrall',
        '    link: { type: serial, path: /dev/null }',
        'mqtt:',
        '  url: mqtt://localhost',
      ].join('\n'),
    );
    const worse = join(folder, 'worse.yaml');
    writeFileSync(worse, 'sensors:\n  - name: chest\n    fromat: ad8232\nalarms:\n  tachycardia: { aboveBpm: 9999 }\n');
    const cases: [string[], RegExp][] = [
      [['fly'], /unknown command 'fly'/],
      [['check', '--fast'], /unknown option '--fast'/],
      [['demo', '--for', '-3'], /a number above 0/],
      [['demo', '--scenario', 'opera'], /no scenario 'opera'/],
      [['demo', '--format', 'morse'], /no format "morse"/],
      [['replay'], /missing required argument/],
      [['run', '--config', '/nowhere/slothd.yaml'], /\/nowhere\/slothd\.yaml/],
      [['run', '--config', bad], /unknown format 'protocentrall'/],
      [['check', '--config', bad], /sensors.*format.*unknown format 'protocentrall'; there are: .*ad8232/s],
      [['check', '--config', worse], /worse\.yaml:3.*fromat.*worse\.yaml:5/s],
      [['model', 'verify', '/nowhere'], /\/nowhere/],
    ];
    const results = await inPairs(cases, async ([args, text]) => ({ args, text, ...(await slothd(...args)) }));
    for (const { args, text, code, out, err } of results) {
      expect(code, args.join(' ')).toBe(1);
      expect(out, args.join(' ')).toBe('');
      expect(err, args.join(' ')).toMatch(text);
      expect(err, args.join(' ')).not.toMatch(/fault of our own|\n {4}at /);
    }
  }, 90_000);

  it('so does what the machine refuses: a file that is not there, a token that is empty, a full disk', async () => {
    const folder = temporaryFolder();
    const config = join(folder, 'slothd.yaml');
    const token = join(folder, 'token');
    writeFileSync(token, '\n');
    const sensor = '{ name: a, format: ad8232, link: { type: tcp, host: 127.0.0.1, port: 9 } }';
    writeFileSync(config, `sensors: [${sensor}]\nmqtt: { enabled: false }\nhttp: { tokenFile: ${token} }\n`);
    const state = { SLOTHD_CONFIG_STATEDIR: join(folder, 'state') };
    const empty = startSlothd(['run', '--config', config], state);
    expect(await empty.ended).toBe(1);
    expect(empty.err()).toMatch(/^slothd: http\.tokenFile: .*token: it is empty\n$/);
    rmSync(token);
    const missing = startSlothd(['run', '--config', config], state);
    expect(await missing.ended).toBe(1);
    expect(missing.err()).toMatch(/^slothd: http\.tokenFile: .*: there is no such file\n$/);
    const full = spawnSync('sh', ['-c', `"${process.execPath}" "${MAIN}" schema > /dev/full`], { encoding: 'utf8' });
    expect(full).toMatchObject({ status: 1, stderr: expect.stringMatching(/^slothd: .*(no space|full).*\n$/i) });
  }, 60_000);

  it('while what is right exits 0', async () => {
    const example = await slothd('check', '--config', yaml);
    expect(example.err).toBe('');
    expect(example.code).toBe(0);
    expect(example.out).toContain('good');
  });
});

it('help VERB is VERB --help', async () => {
  expect((await slothd('help', 'check')).out).toContain('--print');
});

it('a reader that has seen enough is no fault', () => {
  const head = spawnSync('bash', ['-c', `"${process.execPath}" "${MAIN}" schema | head -1; echo "\${PIPESTATUS[0]}"`], {
    encoding: 'utf8',
  });
  expect(head).toMatchObject({ stdout: '{\n0\n', stderr: '' });
});

it('the version is the package’s', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(await slothd('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
});
