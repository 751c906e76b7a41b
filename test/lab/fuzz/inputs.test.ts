import { expect, it } from 'vitest';
import { ConfigError, parseConfig } from '../../../src/config/load.js';
import { fuzzInputs, INPUT_TARGETS } from '../../../src/lab/fuzz/inputs.js';

for (const target of INPUT_TARGETS) {
  it(`damaged input for ${target} is taken or refused in the documented way, nothing else`, async () => {
    const report = await fuzzInputs(target, target === 'config' ? 150 : 1500, 3);
    expect(report.faults).toEqual([]);
    expect(report.accepted).toBeGreaterThan(0);
    expect(report.refused).toBeGreaterThan(0);
  });
}

it.each([
  'a: *nowhere',
  `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefg'
    .split('')
    .map((key, i) => `${key}: &${key} [${Array(9).fill(`*${'abcdef'[i]}`).join(', ')}]`)
    .join('\n')}`,
])('an alias to nowhere or a bomb of aliases is a ConfigError', (text) => {
  expect(() => parseConfig(text, 'slothd.yaml')).toThrow(ConfigError);
});
