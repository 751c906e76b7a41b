import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../../src/inference/bundle/manifest.js';
import { precisionRecallOf, reliabilityOf, rocOf } from '../../../src/lab/evaluation/curves.js';
import { renderCard } from '../../../src/lab/export/card.js';
import { type Evaluation, renderReport } from '../../../src/lab/report/page.js';

const manifest = parseManifest(JSON.parse(await readFile('models/beat-ecg/manifest.json', 'utf8')));

describe('curves', () => {
  // Scores 0.9+ 0.8- 0.7+ 0.7- 0.1-, worked by hand; the tie counts half.
  const scores = [0.9, 0.8, 0.7, 0.7, 0.1];
  const positive = [1, 0, 1, 0, 0];

  it('ROC: corners and area as the Mann-Whitney statistic has it', () => {
    const { points, area } = rocOf(scores, positive);
    expect(points).toEqual([
      [0, 0],
      [0, 0.5],
      [1 / 3, 0.5],
      [2 / 3, 1],
      [1, 1],
    ]);
    // Pairs won: 3 of 3 for 0.9; for 0.7 one lost, one tied, one won.
    expect(area).toBeCloseTo((3 + 1.5) / 6, 12);
    expect(rocOf([1, 2], [1, 1]).area).toBeNaN();
  });

  it('precision and recall: a step for each positive', () => {
    const { points, area } = precisionRecallOf(scores, positive);
    expect(points).toEqual([
      [0.5, 1],
      [0.5, 0.5],
      [1, 0.5],
      [1, 0.4],
    ]);
    expect(area).toBeCloseTo(0.5 * 1 + 0.5 * 0.5, 12);
  });

  it('reliability: a model that is right as often as it says has no error', () => {
    const said = [0.75, 0.75, 0.75, 0.75, 1];
    expect(reliabilityOf(said, [1, 1, 1, 0, 1])).toEqual({
      bins: [
        { said: 0.75, right: 0.75, items: 4 },
        { said: 1, right: 1, items: 1 },
      ],
      ece: 0,
    });
    expect(reliabilityOf([0.9, 0.9], [0, 1]).ece).toBeCloseTo(0.4, 12);
  });

  it('thin out to what a plot can show, ends included', () => {
    const many = Float32Array.from({ length: 100_000 }, (_, i) => i / 100_000);
    const { points, area } = rocOf(
      many,
      many.map((score) => (score > 0.5 ? 1 : 0)),
    );
    expect(points.length).toBeLessThan(500);
    expect(points[0]).toEqual([0, 0]);
    expect(points.at(-1)).toEqual([1, 1]);
    expect(area).toBeCloseTo(1, 6);
  });
});

describe('the HTML page', () => {
  const evaluation: Evaluation = {
    ...{ on: 'made-up <people>', labels: ['N', 'V'], truthLabels: ['N', 'V', 'F'], truth: Uint8Array.of(0, 0, 1, 2) },
    probabilities: Float32Array.of(0.9, 0.1, 0.4, 0.6, 0.2, 0.8, 0.7, 0.3),
    records: [
      { name: 'a', from: 0, to: 3 },
      { name: 'b', from: 3, to: 4 },
    ],
    tables: [{ title: 'T', head: ['h'], rows: [['1']] }],
  };
  const epochs = [1, 2].map((epoch) => ({
    epoch,
    epochs: 2,
    loss: 1 / epoch,
    seconds: 1,
    validation: { loss: 1, accuracy: 0.5 },
  }));
  const html = renderReport({
    ...{ manifest, evaluation, command: 'slothd lab report' },
    histories: [
      { name: 'float', phases: [{ phase: 'fold 1', epochs }] },
      { name: 'pruned', phases: [] },
    ],
  });

  it('is one file of its own: no script, nothing fetched, every tag closed', () => {
    expect(html).not.toMatch(/<script|<img|<link|src=|href=|url\(/);
    const open: string[] = [];
    for (const [, slash, tag, empty] of html.matchAll(/<(\/?)([a-z0-9]+)[^>]*?(\/?)>/g)) {
      if (empty || ['meta', 'html', 'head', 'body'].includes(tag!)) continue;
      if (slash) expect(open.pop()).toBe(tag);
      else open.push(tag!);
    }
    expect(open).toEqual([]);
    expect(html).toContain('made-up &lt;people&gt;');
    expect(html).not.toContain('NaN');
  });

  it('shows the variants, the confusion, every record and the curves', () => {
    for (const { id, bytes } of manifest.variants)
      expect(html).toMatch(new RegExp(`<td>${id}[^<]*</td><td>${bytes}</td>`));
    expect(html).toContain('<td>a</td><td>3</td><td>66.67 %</td><td>2</td><td>1</td><td>0</td><td>1</td><td>2</td>');
    expect(html).toContain('<td>b</td><td>1</td><td>0.00 %</td>');
    for (const title of [
      'Confusion',
      'ROC',
      'Precision and recall',
      'Reliability',
      'Training loss, float',
      'Validation accuracy, float',
    ]) {
      expect(html).toContain(`aria-label="${title}`);
    }
    expect(html).not.toContain('pruned</h2>');
  });
});

describe('the card', () => {
  it('is short, keeps what only a program reads in the manifest, and names the commands', () => {
    const card = renderCard(manifest, 'About it.');
    expect(card).not.toMatch(/\{"epochs"/);
    expect(Math.max(...card.split('\n').map((line) => line.length))).toBeLessThan(600);
    expect(card).toContain('- trainedOn: 61 entries, in manifest.json');
    expect(card).toContain('`slothd lab evaluate models/beat-ecg --model beat-ecg`');
  });
});
