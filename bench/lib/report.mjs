// Results as committed JSON and as a table for a person.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export function machine() {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    arch: process.arch,
    node: process.version,
  };
}

/** Writes bench/results/<name>.json. */
export function save(name, result) {
  mkdirSync(new URL('../results/', import.meta.url), { recursive: true });
  const whole = { name, date: new Date().toISOString().slice(0, 10), machine: machine(), ...result };
  writeFileSync(new URL(`../results/${name}.json`, import.meta.url), `${JSON.stringify(whole, null, 2)}\n`);
}

/** A committed result; null where there is none. */
export function load(name) {
  const file = new URL(`../results/${name}.json`, import.meta.url);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}

export function table(head, rows) {
  const all = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  for (const row of all)
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '));
}
