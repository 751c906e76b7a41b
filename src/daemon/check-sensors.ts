import { ConfigError, type ConfigProblem, placeIn } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { checkOptionValues, FORMATS } from '../sensor/formats/registry.js';
import { rateProblem } from './waveform-rate.js';

/**
 * What the schema cannot know: that each sensor's format exists, understands its options, and yields a usable rate.
 * @throws ConfigError
 */
export function checkSensors(config: Config, file: string): void {
  const problems: ConfigProblem[] = [];
  const problem = (path: string, message: string) =>
    problems.push({ path, message, ...placeIn(config, path.split('.')) });
  for (const [index, sensor] of config.sensors.entries()) {
    const format = FORMATS.get(sensor.format);
    if (!format) {
      problem(
        `sensors.${index}.format`,
        `unknown format '${sensor.format}'; there are: ${[...FORMATS.keys()].join(', ')}`,
      );
      continue;
    }
    const known = Object.keys(format.options);
    for (const option of Object.keys(sensor.options)) {
      if (!known.includes(option)) {
        problem(
          `sensors.${index}.options.${option}`,
          `format ${format.id} has no such option; it has: ${known.join(', ') || 'none'}`,
        );
      }
    }
    try {
      checkOptionValues(format, sensor.options);
      const { waveform } = format.carries(sensor.options);
      const rateHz = sensor.rateHz ?? waveform?.rateHz ?? null;
      const wrong = waveform && rateHz !== null ? rateProblem(waveform.kind, rateHz) : null;
      if (wrong) problem(`sensors.${index}.${sensor.rateHz === undefined ? 'options.rateHz' : 'rateHz'}`, wrong);
    } catch (error) {
      problem(`sensors.${index}.options`, (error as Error).message);
    }
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
}
