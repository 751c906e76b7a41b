import type { Config } from '../../config/schema.js';

/**
 * What differs between two configs, for the log and for the choice of how to take it.
 * @returns dotted names of the top settings that differ, sensors by name: `log.level`, `sensors.chest`, `mqtt`
 */
export function changedSettings(before: Config, after: Config): string[] {
  const changes: string[] = [];
  for (const key of Object.keys(after) as (keyof Config)[]) {
    if (key === 'sensors' || same(before[key], after[key])) continue;
    changes.push(key === 'log' ? 'log.level' : key);
  }
  const old = new Map(before.sensors.map((sensor) => [sensor.name, sensor]));
  for (const sensor of after.sensors) {
    if (!same(old.get(sensor.name), sensor)) changes.push(`sensors.${sensor.name}`);
    old.delete(sensor.name);
  }
  for (const name of old.keys()) changes.push(`sensors.${name}`);
  return changes;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
