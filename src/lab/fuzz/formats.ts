/**
 * Throws random and damaged bytes at the decoders: `node dist/lab/fuzz/formats.js [--format ID] [--count N] [--seed S]
 * [--options JSON]`. Ends with 1 when a decoder threw, said something impossible or kept memory. With `--target
 * config|commands|bundle` what is damaged is a config, an MQTT command or a bundle's manifest; with `--target http` requests
 * are sent to the daemon's web server over loopback.
 */
import { parseArgs } from 'node:util';
import type { FormatOptions } from '../../domain/reading.js';
import { FORMATS, findFormat } from '../../sensor/formats/registry.js';
import { fuzzHttp } from './http.js';
import { fuzzInputs, INPUT_TARGETS } from './inputs.js';
import { type FuzzResult, fuzzFormat } from './run.js';

/** More than this kept after the warm-up is a leak; the engine's own bookkeeping stays below. */
const MOST_HELD_BYTES = 1024 * 1024;

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: 'formats' },
    format: { type: 'string', default: 'all' },
    count: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    options: { type: 'string', default: '{}' },
  },
});
const count = Number(values.count);
const seed = Number(values.seed);
if (!Number.isInteger(count) || count < 10 || !Number.isInteger(seed)) {
  process.stderr.write('--count wants a whole number of 10 or more, --seed a whole number\n');
  process.exit(1);
}
if (values.target === 'http') {
  const { tried, accepted, refused, waiting, grownBytes, faults } = await fuzzHttp(count, seed);
  process.stdout.write(
    `http: ${tried} inputs, seed ${seed}: ${accepted} accepted, ${refused} refused, ${waiting} unfinished, ${faults.length} faults; memory grew by ${(grownBytes / 2 ** 20).toFixed(1)} MiB\n`,
  );
  for (const fault of faults) process.stdout.write(`  ${fault}\n`);
  process.exit(faults.length > 0 ? 1 : 0);
}
if (values.target !== 'formats') {
  const target = INPUT_TARGETS.find((one) => one === values.target);
  if (target === undefined) {
    process.stderr.write(`--target is one of formats, http, ${INPUT_TARGETS.join(', ')}\n`);
    process.exit(1);
  }
  const { tried, accepted, refused, faults } = await fuzzInputs(target, count, seed);
  process.stdout.write(
    `${target}: ${tried} inputs, seed ${seed}: ${accepted} accepted, ${refused} refused, ${faults.length} faults\n`,
  );
  for (const fault of faults) process.stdout.write(`  ${fault}\n`);
  process.exit(faults.length > 0 ? 1 : 0);
}
const options = JSON.parse(values.options) as FormatOptions;
const formats = values.format === 'all' ? [...FORMATS.values()] : [findFormat(values.format)];

process.stdout.write(
  `${'format'.padEnd(24)}${columns('inputs', 'MB', 'frames', 'readings', 'drops', 'throws', 'wrong', 'kept KiB', 's')}\n`,
);
let failed = 0;
for (const format of formats) {
  const result = fuzzFormat(format, options, count, seed, true);
  process.stdout.write(`${line(result)}\n`);
  for (const example of result.examples) process.stdout.write(`  ${example}\n`);
  if (result.throws > 0 || result.violations > 0 || (result.heldBytes ?? 0) > MOST_HELD_BYTES) failed++;
}
process.stdout.write(`${formats.length} formats, ${formats.length * count} inputs, seed ${seed}: ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;

function line(result: FuzzResult): string {
  const { inputs, bytes, frames, readings, drops, throws, violations, heldBytes, seconds } = result;
  return (
    result.format.padEnd(24) +
    columns(
      inputs,
      (bytes / 1e6).toFixed(1),
      frames,
      readings,
      drops,
      throws,
      violations,
      Math.round((heldBytes ?? 0) / 1024),
      seconds.toFixed(1),
    )
  );
}

function columns(...cells: readonly (string | number)[]): string {
  return cells.map((cell) => String(cell).padStart(10)).join('');
}
