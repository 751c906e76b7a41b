import type { FormatOptions } from '../../domain/reading.js';

/** Reads a whole or decimal number from a sensor's `options`. Throws an Error that names the option, for `check`. */
export function numberOption(
  options: FormatOptions,
  name: string,
  fallback: number,
  least: number,
  most: number,
): number {
  const value = options[name] ?? fallback;
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw new Error(`option ${name}: ${JSON.stringify(value)} is not a number from ${least} to ${most}`);
  }
  return value;
}

/** Like `numberOption`, for whole numbers only. */
export function integerOption(
  options: FormatOptions,
  name: string,
  fallback: number,
  least: number,
  most: number,
): number {
  const value = numberOption(options, name, fallback, least, most);
  if (!Number.isInteger(value)) throw new Error(`option ${name}: ${value} is not a whole number`);
  return value;
}

/** Reads one of a list of words. Throws an Error that lists them. */
export function choiceOption<Choice extends string>(
  options: FormatOptions,
  name: string,
  fallback: Choice,
  choices: readonly Choice[],
): Choice {
  const value = options[name] ?? fallback;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) {
    throw new Error(`option ${name}: ${JSON.stringify(value)} is not one of ${choices.join(', ')}`);
  }
  return choice;
}

/** Reads true or false. */
export function flagOption(options: FormatOptions, name: string, fallback: boolean): boolean {
  const value = options[name] ?? fallback;
  if (typeof value !== 'boolean') throw new Error(`option ${name}: ${JSON.stringify(value)} is not true or false`);
  return value;
}

/** Samples per second as configured, or what the device is known for; null where neither says. */
export function rateOption(options: FormatOptions, known: number | null): number | null {
  return options.rateHz === undefined ? known : numberOption(options, 'rateHz', 0, 1, 10_000);
}
