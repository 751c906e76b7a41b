import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAnnotations, parseAnnotations } from '../../../src/lab/wfdb/annotations.js';
import {
  type Annotation,
  aamiClass,
  codeOf,
  isBeatSymbol,
  readAnnotations,
  symbolOf,
  WfdbError,
  writeAnnotations,
} from '../../../src/lab/wfdb/index.js';

const fixtures = join(import.meta.dirname, '../../fixtures/wfdb');
const words = (...values: number[]) => Uint8Array.from(values.flatMap((value) => [value & 0xff, value >> 8]));
const annotation = (sample: number, symbol: string, rest: Partial<Annotation> = {}): Annotation => ({
  sample,
  symbol,
  subtype: 0,
  chan: 0,
  num: 0,
  aux: '',
  ...rest,
});

describe('annotation files', () => {
  it('reads the reference beats of a MITDB excerpt', async () => {
    const annotations = await readAnnotations(join(fixtures, '208.atr'));
    expect(annotations[0]).toEqual(annotation(9, '+', { aux: '(N' }));
    expect(annotations.slice(1, 6).map(({ sample, symbol }) => `${sample}${symbol}`)).toEqual([
      '46F',
      '209V',
      '483N',
      '697F',
      '853V',
    ]);
    expect(annotations.filter(({ symbol }) => isBeatSymbol(symbol)).length).toBe(106);
  });

  it('writes back the very bytes it read', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'slothd-wfdb-')), 'copy.atr');
    await writeAnnotations(file, await readAnnotations(join(fixtures, '100.atr')));
    expect(await readFile(file)).toEqual(await readFile(join(fixtures, '100.atr')));
  });

  it('understands SKIP, NUM, SUB, CHN and AUX as annot(5) defines them', () => {
    const bytes = words(
      ...[(1 << 10) | 100], // N at 100
      ...[(61 << 10) | 2, (62 << 10) | 1, (60 << 10) | 3], // subtype 2 here; channel 1 and num 3 from here on
      ...[59 << 10, 1, 5], // skip 65541 ticks
      ...[(28 << 10) | 4, (63 << 10) | 5, 0x4128, 0x4946, 0x0042], // "+" with "(AFIB" and a padding byte
      ...[(5 << 10) | 0, (61 << 10) | 255], // V at the same time, subtype -1
      0,
    );
    expect(parseAnnotations('x', bytes).annotations).toEqual([
      annotation(100, 'N', { subtype: 2, chan: 1, num: 3 }),
      annotation(65645, '+', { chan: 1, num: 3, aux: '(AFIB' }),
      annotation(65645, 'V', { chan: 1, num: 3, subtype: -1 }),
    ]);
  });

  it('takes the tick rate from a time resolution note and leaves the note out', () => {
    const note = annotation(0, '"', { aux: '## time resolution: 1000' });
    const { annotations, rateHz } = parseAnnotations('x', formatAnnotations('x', [note, annotation(5, 'N')]));
    expect(rateHz).toBe(1000);
    expect(annotations).toEqual([annotation(5, 'N')]);
  });

  it('parse undoes format, for any annotations', () => {
    const one = fc.record({
      gap: fc.oneof(fc.integer({ min: 0, max: 1100 }), fc.integer({ min: 0, max: 20_000_000 })),
      symbol: fc.integer({ min: 1, max: 49 }).map(symbolOf),
      subtype: fc.integer({ min: -128, max: 127 }),
      chan: fc.integer({ min: 0, max: 255 }),
      num: fc.integer({ min: -128, max: 127 }),
      aux: fc.string({ unit: fc.constantFrom('(', 'A', 'z', '7'), maxLength: 9 }),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 20 }), (items) => {
        let sample = 0;
        const list = items.map(({ gap, ...rest }) => {
          sample += gap;
          return { sample, ...rest };
        });
        expect(parseAnnotations('x', formatAnnotations('x', list)).annotations).toEqual(list);
      }),
    );
  });

  it('names garbage, truncation and emptiness', async () => {
    const bytes = await readFile(join(fixtures, '208.atr'));
    expect(() => parseAnnotations('a.atr', new Uint8Array())).toThrow('a.atr: is empty');
    for (let length = 1; length < bytes.length; length++) {
      expect(() => parseAnnotations('a.atr', bytes.subarray(0, length))).toThrow(WfdbError);
    }
    expect(() => parseAnnotations('a.atr', Buffer.from('this is plain text, no annotation file'))).toThrow(
      /a\.atr: .*not an annotation file/,
    );
    await expect(readAnnotations('/nonexistent.atr')).rejects.toThrow('/nonexistent.atr: cannot be read (ENOENT)');
  });

  it('never fails but with WfdbError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          parseAnnotations('x', bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(WfdbError);
        }
      }),
    );
  });

  it('refuses to write what the format cannot hold', () => {
    expect(() => formatAnnotations('x', [annotation(5, 'N'), annotation(4, 'N')])).toThrow(/sample 4 after one at 5/);
    expect(() => formatAnnotations('x', [annotation(5, 'Z')])).toThrow(/no annotation code for symbol "Z"/);
    expect(() => formatAnnotations('x', [annotation(5, '+', { aux: 'x'.repeat(256) })])).toThrow(/256 bytes/);
  });
});

describe('symbols', () => {
  it('maps beats to AAMI classes as de Chazal 2004 does, and nothing else', () => {
    const classes = Object.fromEntries(
      Array.from({ length: 49 }, (_, i) => symbolOf(i + 1))
        .filter(isBeatSymbol)
        .map((symbol) => [symbol, aamiClass(symbol)]),
    );
    expect(classes).toEqual({
      ...{ N: 'N', L: 'N', R: 'N', B: 'N', e: 'N', j: 'N', n: 'N' },
      ...{ A: 'S', a: 'S', J: 'S', S: 'S', V: 'V', E: 'V', r: 'V' },
      ...{ F: 'F', '/': 'Q', f: 'Q', Q: 'Q', '?': 'Q' },
    });
    expect(aamiClass('!')).toBeNull();
    expect(isBeatSymbol('constructor')).toBe(false);
  });

  it('codes and symbols undo each other', () => {
    for (let code = 1; code <= 49; code++) expect(codeOf(symbolOf(code))).toBe(code);
    expect(codeOf('[50]')).toBeNull();
  });
});
