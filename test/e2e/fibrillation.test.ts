import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { slothd } from './support/cli.js';
import { temporaryFolder } from './support/world.js';

const RECORD = fileURLToPath(new URL('../fixtures/wfdb/424', import.meta.url));

interface Line {
  readonly type: string;
  readonly event?: string;
  readonly kind?: string;
  readonly t: number;
  readonly onsetT?: number;
}

it('a real heart that begins to fibrillate at 30 s is told of within 6 s, as one alert', async () => {
  // A busy machine may answer late; what is told must not depend on it here.
  const config = join(temporaryFolder(), 'slothd.yaml');
  writeFileSync(
    config,
    'sensors:\n  - { name: x, format: ad8232, link: { type: tcp, host: localhost, port: 1 } }\ninference: { deadlineMs: 20000 }\n',
  );
  const { out, err } = await slothd('replay', RECORD, '--config', config);
  expect(err).toBe('');
  const lines = out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
  const raised = lines.filter(({ type, event }) => type === 'alert' && event === 'new');
  const first = raised.find(({ kind }) => kind === 'ventricular-fibrillation');
  expect(first?.t).toBeGreaterThan(30);
  expect(first?.t).toBeLessThan(36);
  expect(first?.onsetT).toBeGreaterThan(27);
  expect(raised.filter(({ t }) => t < 29)).toEqual([]);
  expect(raised.filter(({ t, kind }) => t > first!.t && kind === 'asystole')).toEqual([]);
}, 120_000);
