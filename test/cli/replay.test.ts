import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { replayCommand } from '../../src/cli/replay.js';
import { readAnnotations } from '../../src/lab/wfdb/index.js';
import { findFormat } from '../../src/sensor/formats/registry.js';
import { makeScenario } from '../../src/simulator/scenario.js';
import { SimulatedSensor } from '../../src/simulator/sensor.js';
import { ecgOf } from '../daemon/support/pipeline-bench.js';
import { slothd } from '../e2e/support/cli.js';
import { temporaryFolder } from '../e2e/support/world.js';

const WFDB = fileURLToPath(new URL('../fixtures/wfdb/', import.meta.url));
const RECORD = join(WFDB, '100');

interface Line {
  readonly type: string;
  readonly t: number;
  readonly [more: string]: unknown;
}

const parse = (text: string): Line[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

/** Runs the verb in this process, without a model: what it wrote, or what it refused with. */
async function replay(...args: string[]): Promise<Line[]> {
  const events = join(temporaryFolder(), 'events.jsonl');
  const command = replayCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  await command.parseAsync([...args, '--model', 'beat=none', '--events', events], { from: 'user' });
  return parse(readFileSync(events, 'utf8'));
}

const refused = (...args: string[]): Promise<Error> =>
  replay(...args).then(
    () => {
      throw new Error('it was played');
    },
    (error: Error) => error,
  );

const ofType = (lines: readonly Line[], type: string) => lines.filter((line) => line.type === type);

function file(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

const CALM = [{ rhythm: 'sinus' as const, bpm: 72, seconds: 600 }];

describe('a WFDB record', () => {
  it('--only leaves out the lines of other types, not the frame, and refuses a type there is not', async () => {
    const all = await replay(RECORD);
    const some = await replay(RECORD, '--only', 'quality,alert');
    const wanted = (line: Line) => ['start', 'quality', 'alert', 'end'].includes(line.type);
    const timeless = (lines: readonly Line[]) => lines.map(({ wallSeconds: _wall, ...line }) => line);
    expect(some.some(({ type }) => type === 'quality')).toBe(true);
    expect(timeless(some)).toEqual(timeless(all.filter(wanted)));
    expect((await refused(RECORD, '--only', 'beats')).message).toMatch(/start, beat, rhythm/);
  });

  it('through the program: the lines of the contract, and the same again', async () => {
    const [first, second] = await Promise.all([slothd('replay', RECORD), slothd('replay', `${RECORD}.hea`)]);
    expect(first.err).toBe('');
    expect(first.code).toBe(0);
    const lines = parse(first.out);
    expect(lines[0]).toMatchObject({ type: 'start', record: '100', rateHz: 360, signal: 'MLII' });
    const reference = (await readAnnotations(`${RECORD}.atr`)).filter(({ symbol }) => /^[NAVLR]$/.test(symbol));
    const beats = ofType(lines, 'beat') as unknown as { t: number; sample: number; scores: Record<string, number> }[];
    expect(Math.abs(beats.length - reference.length)).toBeLessThanOrEqual(2);
    for (const beat of beats) {
      expect(beat.t).toBeCloseTo(beat.sample / 360, 3);
      const { N, S, V } = beat.scores as { N: number; S: number; V: number };
      expect(N + S + V).toBeCloseTo(1, 2);
    }
    const matched = reference.filter((one) => beats.some(({ sample }) => Math.abs(sample - one.sample) <= 54));
    expect(matched.length).toBeGreaterThanOrEqual(reference.length - 1);
    expect(ofType(lines, 'quality').at(-1)?.state).toBe('good');
    expect(lines.at(-1)).toMatchObject({ type: 'end', t: 60, beats: beats.length });
    expect(ofType(lines, 'alert')).toEqual([]);
    const body = (out: string) => parse(out).filter(({ type }) => type !== 'end');
    expect(body(second.out)).toEqual(body(first.out));
  });

  it('finds the ventricular beats of another one', async () => {
    const { code, out } = await slothd('replay', join(WFDB, '208'), '--signal', '0');
    expect(code).toBe(0);
    const reference = (await readAnnotations(join(WFDB, '208.atr'))).filter(({ symbol }) => symbol === 'V');
    const found = ofType(parse(out), 'beat').filter((beat) => beat.class === 'V');
    const right = reference.filter((one) => found.some((beat) => Math.abs((beat.sample as number) - one.sample) <= 54));
    expect(reference.length).toBeGreaterThan(10);
    expect(right.length / reference.length).toBeGreaterThan(0.5);
    expect(right.length / found.length).toBeGreaterThan(0.5);
  });

  it('by a signal’s number or name', async () => {
    for (const signal of ['1', 'V5']) {
      const lines = await replay(RECORD, '--signal', signal);
      expect(lines[0]).toMatchObject({ signal: 'V5' });
      expect(ofType(lines, 'beat').length).toBeGreaterThan(65);
    }
  });

  it('several records, one after another', async () => {
    const lines = await replay(RECORD, join(WFDB, '208'));
    expect(ofType(lines, 'start').map(({ record }) => record)).toEqual(['100', '208']);
    expect(ofType(lines, 'end')).toHaveLength(2);
  });
});

describe('reference beats and annotations', () => {
  it('--beats-from takes exactly those beats', async () => {
    const reference = (await readAnnotations(`${RECORD}.atr`)).filter(({ symbol }) => symbol !== '+');
    const lines = await replay(RECORD, '--beats-from', `${RECORD}.atr`);
    expect(ofType(lines, 'beat').map(({ sample }) => sample)).toEqual(reference.map(({ sample }) => sample));
  });

  it('--annotations writes what the lines say, and the file can be played again', async () => {
    const out = join(temporaryFolder(), '100.qrs');
    const lines = await replay(RECORD, '--annotations', out);
    const beats = ofType(lines, 'beat').map(({ sample }) => sample);
    const written = await readAnnotations(out);
    expect(written.filter(({ symbol }) => symbol === 'N').map(({ sample }) => sample)).toEqual(beats);
    const again = await replay(RECORD, '--beats-from', out);
    expect(ofType(again, 'beat').map(({ sample }) => sample)).toEqual(beats);
  });

  it('an annotation file alone drives the RR path', async () => {
    const folder = temporaryFolder();
    copyFileSync(`${RECORD}.atr`, join(folder, 'beats.qrs'));
    const lines = await replay(join(folder, 'beats.qrs'), '--rate', '360');
    const reference = (await readAnnotations(`${RECORD}.atr`)).filter(({ symbol }) => symbol !== '+');
    expect(lines[0]).toMatchObject({ record: 'beats.qrs', rateHz: 360, signal: null });
    expect(ofType(lines, 'beat').map(({ sample }) => sample)).toEqual(reference.map(({ sample }) => sample));
    // Beside its header, it needs no rate; named without its extension, it is found.
    expect((await replay(`${RECORD}.atr`))[0]).toMatchObject({ rateHz: 360 });
    copyFileSync(`${RECORD}.atr`, join(folder, 'alone.atr'));
    expect((await replay(join(folder, 'alone'), '--rate', '250'))[0]).toMatchObject({ rateHz: 250 });
    const error = await refused(join(folder, 'alone'));
    expect(error.message).toContain('--rate');
  });

  it('atrial fibrillation in a list of beats is told', async () => {
    const rr = [...Array.from({ length: 100 }, () => 800), ...irregular(400)];
    const lines = await replay(file('af.csv', `rr\n${rr.join('\n')}\n`));
    const alert = ofType(lines, 'alert')[0];
    expect(alert).toMatchObject({ event: 'new', kind: 'atrial-fibrillation' });
    expect(alert?.onsetT).toBeGreaterThan(50);
    expect(alert?.t).toBeLessThan(200);
    expect(ofType(lines, 'alert').at(-1)).toMatchObject({ event: 'end', id: alert?.id });
    expect(ofType(lines, 'rhythm').some(({ label }) => label === 'afib')).toBe(true);
  });
});

/** Intervals as of a fibrillating heart, 500 to 1,000 ms with no order (a linear congruential generator, so the same each time). */
function irregular(count: number): number[] {
  let state = 1;
  return Array.from({ length: count }, () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return 500 + Math.round((500 * state) / 2 ** 32);
  });
}

describe('tables and bytes', () => {
  const { samples, peaks } = ecgOf(CALM, 30);

  it('CSV with a time column, without one, and JSONL', async () => {
    const timed = file('ecg.csv', `time,ecg\n${[...samples].map((v, i) => `${i / 250},${v.toFixed(4)}`).join('\n')}\n`);
    const lines = await replay(timed);
    expect(lines[0]).toMatchObject({ rateHz: 250, signal: 'ecg', record: 'ecg.csv' });
    const beats = ofType(lines, 'beat').map(({ sample }) => sample as number);
    const expected = peaks.filter((peak) => peak > 8 * 250 && peak < 29 * 250);
    expect(expected.every((peak) => beats.some((beat) => Math.abs(beat - peak) < 15))).toBe(true);

    const bare = file('bare.csv', [...samples].map((v) => v.toFixed(4)).join('\n'));
    expect(ofType(await replay(bare, '--rate', '250'), 'beat')).toEqual(ofType(lines, 'beat'));
    const json = file('ecg.jsonl', [...samples].map((v) => JSON.stringify({ ecg: Number(v.toFixed(4)) })).join('\n'));
    expect(ofType(await replay(json, '--rate', '250'), 'beat')).toEqual(ofType(lines, 'beat'));
  });

  it('RR intervals in ms and in seconds are the same', async () => {
    const rr = Array.from({ length: 60 }, (_, i) => 800 + (i % 7));
    const ms = await replay(file('a.csv', `rr_ms\n${rr.join('\n')}`));
    const s = await replay(file('a.csv', `rr\n${rr.map((one) => one / 1000).join('\n')}`));
    expect(ofType(ms, 'beat').map(({ rrMs }) => rrMs)).toEqual(rr);
    expect(ofType(s, 'beat').map(({ rrMs }) => rrMs)).toEqual(rr);
  });

  it('bytes of a wire format', async () => {
    const chunks: Uint8Array[] = [];
    const sensor = new SimulatedSensor({
      scenario: makeScenario({ episodes: CALM }),
      format: findFormat('protocentral'),
      write: (bytes) => chunks.push(bytes),
    });
    sensor.renderTo(30_000);
    const lines = await replay(file('capture.bin', Buffer.concat(chunks)), '--format', 'protocentral');
    expect(lines[0]).toMatchObject({ rateHz: sensor.rateHz, signal: 'ecg' });
    expect(lines.at(-1)?.t).toBeCloseTo(30, 0);
    expect(ofType(lines, 'beat').length).toBeGreaterThan(25);
  });

  it('--speed keeps the time of the record', async () => {
    const start = performance.now();
    const lines = await replay(file('a.csv', `rr\n${'800\n'.repeat(20)}`), '--speed', '20');
    expect(performance.now() - start).toBeGreaterThan((20 * 800) / 20 - 50);
    expect(ofType(lines, 'beat')).toHaveLength(20);
  });

  it('--config brings its thresholds', async () => {
    const config = file(
      'slothd.yaml',
      'sensors:\n  - name: x\n    format: protocentral\n    link: { type: tcp, host: h, port: 1 }\nalarms:\n  tachycardia: { aboveBpm: 60, sustainMs: 5000 }\n',
    );
    const table = file('a.csv', `rr\n${'800\n'.repeat(60)}`);
    expect(ofType(await replay(table), 'alert')).toEqual([]);
    expect(ofType(await replay(table, '--config', config), 'alert')[0]).toMatchObject({ kind: 'tachycardia' });
  });
});

describe('what cannot be played', () => {
  const random = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919 + (i >> 3)) & 0xff);

  /** Each makes the arguments; the text must be in the message. */
  const cases: Record<string, [() => string[], string]> = {
    'a missing record': [() => [join(WFDB, '999')], 'there is no record'],
    'a missing table': [() => [join(WFDB, 'nothing.csv')], 'nothing.csv'],
    'a missing capture': [() => ['/nowhere/x.bin', '--format', 'ad8232'], '/nowhere/x.bin'],
    'a folder': [() => [WFDB], 'there is no record'],
    'a folder named like a table': [
      () => {
        const folder = join(temporaryFolder(), 'folder.csv');
        mkdirSync(folder);
        return [folder];
      },
      'folder.csv',
    ],
    'a header of garbage': [() => [file('r.hea', random)], 'r'],
    'an empty header': [() => [file('r.hea', '')], 'r'],
    'a header without its signals': [
      () => {
        const path = file('100.hea', readFileSync(`${RECORD}.hea`));
        return [path];
      },
      '100.dat',
    ],
    'signals cut short': [
      () => {
        const folder = temporaryFolder();
        writeFileSync(join(folder, '100.hea'), readFileSync(`${RECORD}.hea`));
        writeFileSync(join(folder, '100.dat'), readFileSync(`${RECORD}.dat`).subarray(0, 1001));
        return [join(folder, '100')];
      },
      '100.dat',
    ],
    'annotations of garbage': [() => [file('x.atr', random), '--rate', '360'], 'x.atr'],
    'an empty annotation file': [() => [file('x.qrs', ''), '--rate', '360'], 'x.qrs'],
    'a signal that is not there': [() => [RECORD, '--signal', 'V9'], "no signal 'V9'; it has: 0 MLII, 1 V5"],
    'a signal number too high': [() => [RECORD, '--signal', '2'], "no signal '2'"],
    'missing reference beats': [() => [RECORD, '--beats-from', '/nowhere/x.atr'], '/nowhere/x.atr'],
    'a table of garbage': [() => [file('x.csv', random)], 'x.csv'],
    'an empty table': [() => [file('x.csv', '')], 'x.csv'],
    'a table without numbers': [() => [file('x.csv', 'rr\nfoo\nbar\n')], 'x.csv'],
    'a table of words in an ECG column': [() => [file('x.csv', 'ecg\nfoo\nbar\n'), '--rate', '250'], 'x.csv'],
    'broken JSON lines': [() => [file('x.jsonl', '{"ecg":1}\n{"ecg":\n')], 'x.jsonl:2'],
    'a table that hides its rate': [() => [file('x.csv', 'ecg\n1\n2\n3\n')], '--rate'],
    'a table with an unknown column': [() => [file('x.csv', 'a,b\n1,2\n')], '--signal'],
    'a rate no beat shows at': [() => [file('x.csv', 'ecg\n1\n2\n3\n'), '--rate', '10'], '50 to 8000 Hz'],
    'an unknown format': [() => [file('x.bin', random), '--format', 'morse'], 'no format "morse"'],
    'a format option out of range': [
      () => [file('x.bin', random), '--format', 'ad8232', '--option', 'adcBits=99'],
      'adcBits',
    ],
    'a format without a rate': [() => [file('x.bin', random), '--format', 'ad8232'], '--rate'],
    'a missing config': [() => [RECORD, '--config', '/nowhere/slothd.yaml'], '/nowhere/slothd.yaml'],
    'a place nothing can be written to': [() => [RECORD, '--annotations', '/nowhere/x.atr'], '/nowhere/x.atr'],
    'two records for one annotation file': [() => [RECORD, RECORD, '--annotations', '/tmp/x.atr'], '--annotations'],
    'a model of an unknown name': [() => [RECORD, '--model', 'toe=none'], "'toe'"],
  };

  it.each(Object.keys(cases))('%s: refused with what is wrong', async (name) => {
    const [args, text] = cases[name]!;
    const error = await refused(...args());
    expect(error.message).toContain(text);
    // What main() prints as one line with exit code 1; anything else it calls a fault of our own.
    expect(error.name).toMatch(/^(Replay|Wfdb|Bundle|Link|Scenario|Format|Lab|Backend|Usage|Config)\w*Error$/);
    if (error.name !== 'ConfigError') expect(error.message).not.toContain('\n');
  });

  it('an events file that cannot be written is refused', async () => {
    const command = replayCommand().exitOverride();
    const args = [RECORD, '--model', 'beat=none', '--events', '/nowhere/events.jsonl'];
    await expect(command.parseAsync(args, { from: 'user' })).rejects.toThrow('/nowhere/events.jsonl');
  });

  it('through the program: exit 1, one line on standard error, nothing on standard output', async () => {
    const runs = await Promise.all([
      slothd('replay', join(WFDB, '999')),
      slothd('replay', file('r.hea', random)),
      slothd('replay', file('x.csv', random)),
    ]);
    for (const { code, out, err } of runs) {
      expect(code).toBe(1);
      expect(out).toBe('');
      expect(err).toMatch(/^slothd: [^\n]+\n$/);
    }
  });
});
