import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { slothd } from '../e2e/support/cli.js';

/**
 * Commands of the pages that need nothing and change nothing are run as they stand there. Those of the walkthrough need one
 * another; test/lab/walkthrough runs all of them.
 */
const root = join(import.meta.dirname, '../..');
const HARMLESS = /^slothd (formats|schema|model (list|(verify|inspect) [a-z-]+)|data list|--version)\b[^<>|;&$]*$/;
const PAGES = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.endsWith('-reference.md') && name !== 'walkthrough.md')
    .map((name) => `docs/${name}`),
];

const commands = new Set(
  PAGES.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    const fenced = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) => block.split('\n'));
    const inline = [...text.matchAll(/`(slothd [^`\n]+)`/g)].map(([, code = '']) => code);
    return [...fenced, ...inline].map((line) => line.replace(/\s*#.*/, '').trim());
  }).filter((line) => HARMLESS.test(line) && !/[A-Z]{3,}|\.\/|my-|\/my/.test(line)),
);

test('there are some', () => {
  expect(commands.size).toBeGreaterThan(2);
});

test.each([...commands])(
  '%s',
  async (line) => {
    const { code, err } = await slothd(...line.split(/\s+/).slice(1));
    expect(code, err).toBe(0);
  },
  30_000,
);
