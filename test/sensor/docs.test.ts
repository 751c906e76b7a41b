import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import { checkSensors } from '../../src/daemon/check-sensors.js';
import { FORMATS } from '../../src/sensor/formats/registry.js';

const folder = join(import.meta.dirname, '../../docs/sensors');
const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));
const snippets = pages.flatMap((page) => {
  const text = readFileSync(join(folder, page), 'utf8');
  return [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml], i) => [`${page} #${i + 1}`, yaml!] as const);
});

describe('docs/sensors', () => {
  it.each(snippets)('%s is a config that passes all checks', (name, yaml) => {
    const config = parseConfig(yaml, name);
    expect(() => checkSensors(config, name)).not.toThrow();
  });

  it('has a snippet for every format', () => {
    const shown = new Set(
      snippets.flatMap(([name, yaml]) => parseConfig(yaml, name).sensors.map(({ format }) => format)),
    );
    expect([...FORMATS.keys()].filter((id) => !shown.has(id))).toEqual([]);
  });

  it('every page is linked from the first one', () => {
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    for (const page of pages) if (page !== 'README.md') expect(readme).toContain(`](${page})`);
  });
});
