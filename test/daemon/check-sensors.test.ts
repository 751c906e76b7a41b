import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/load.js';
import { configSchema } from '../../src/config/schema.js';
import { checkSensors } from '../../src/daemon/check-sensors.js';

const LINK = { type: 'tcp', host: 'bridge', port: 7000 };

function problemsOf(...sensors: object[]): string[] {
  const config = configSchema.parse({ sensors: sensors.map((own, i) => ({ name: `s${i}`, link: LINK, ...own })) });
  try {
    checkSensors(config, 'slothd.yaml');
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

describe('checkSensors', () => {
  it('finds nothing wrong with what is right', () => {
    expect(
      problemsOf(
        { format: 'protocentral', options: { board: 'max30003' } },
        { format: 'ad8232', options: { rateHz: 250, adcBits: 12 } },
        { format: 'ad8232', rateHz: 200 },
        { format: 'ble-hrm-hex' },
      ),
    ).toEqual([]);
  });

  it('tells of every sensor at once, by path, with what there is', () => {
    const problems = problemsOf(
      { format: 'protocentrall' },
      { format: 'ad8232', options: { adcBitz: 12 } },
      { format: 'protocentral', options: { board: 'toaster' } },
    );
    expect(problems).toHaveLength(3);
    expect(problems[0]).toMatch(/^sensors\.0\.format: unknown format 'protocentrall'; there are: .*protocentral/);
    expect(problems[1]).toMatch(/^sensors\.1\.options\.adcBitz: format ad8232 has no such option; it has: .*adcBits/);
    expect(problems[2]).toMatch(/^sensors\.2\.options: option board: "toaster" is not one of/);
  });

  it('refuses a rate at which nothing can be seen, before the daemon runs into it', () => {
    expect(problemsOf({ format: 'ad8232', rateHz: 25 })).toEqual([
      'sensors.0.rateHz: an ECG needs a rate of 50 to 8000 Hz, not 25',
    ]);
    expect(problemsOf({ format: 'ad8232', options: { rateHz: 9000 } })).toEqual([
      'sensors.0.options.rateHz: an ECG needs a rate of 50 to 8000 Hz, not 9000',
    ]);
    expect(problemsOf({ format: 'ble-hrm-hex', rateHz: 25 })).toEqual([]);
  });
});
