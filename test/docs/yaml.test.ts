import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseConfig } from '../../src/config/load.js';

/** Pieces of config that pages show are good config, alone or below the smallest whole one. */
const root = join(import.meta.dirname, '../..');
const PAGES = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const SMALLEST = { sensors: [{ name: 'chest', format: 'ad8232', link: { type: 'serial', path: '/dev/ttyUSB0' } }] };
const SECTIONS = new Set(
  Object.keys(JSON.parse(readFileSync(join(root, 'config/slothd.schema.json'), 'utf8')).properties),
);

/** The blocks of YAML whose keys are those of a slothd config; other programs have theirs. */
const blocks = PAGES.flatMap((page) =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^( *)```ya?ml\n([\s\S]*?)^\1```/gm)].map(
    ([, indent = '', block = '']) => ({ page, block: block.replace(new RegExp(`^${indent}`, 'gm'), '') }),
  ),
).filter(({ block }) => {
  const value: unknown = parse(block);
  const keys = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  return keys.some((key) => SECTIONS.has(key)) && !/automation:|sensor:$/m.test(block);
});

test('pages show config', () => {
  expect(blocks.length).toBeGreaterThan(10);
});

test.each(blocks)('$page: $block', ({ page, block }) => {
  const whole = { ...SMALLEST, ...(parse(block) as object) };
  expect(() => parseConfig(stringify(whole), page)).not.toThrow();
});
