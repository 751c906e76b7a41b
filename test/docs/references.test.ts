import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cliReference } from '../../src/cli/reference.js';
import { VERBS } from '../../src/cli/verbs.js';
import { configReference } from '../../src/config/reference.js';

/** The generated pages are those of the code beside them; `npm run references` writes them anew. */
const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('docs/config-reference.md is what the schema says', () => {
  const written = page('config-reference.md');
  expect(written, 'run `npm run references`').toBe(configReference());
  for (const known of ['| `url` |', '| `silenceMs` |', '## alarms', '500 to 600000']) {
    expect(written).toContain(known);
  }
});

test('docs/cli-reference.md is what the commands say', async () => {
  const written = page('cli-reference.md');
  expect(written, 'run `npm run references`').toBe(await cliReference());
  for (const [verb] of VERBS) expect(written).toContain(`## slothd ${verb}\n`);
  expect(written).toContain('### slothd lab train\n');
});
