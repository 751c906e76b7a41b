import type { FormatOptions, HostCommands } from '../../domain/reading.js';
import { choiceOption } from './options.js';

/* Nonin "9560 Bluetooth Specification" and the commands of WristOx2 3150 and newer Onyx models. */
const STX = 0x02;
const ETX = 0x03;
const SELECT_FORMAT = 0x70;

const WAYS = ['none', 'simple', 'extended'] as const;

/** Options of the formats that a Nonin device can be told to send. */
export const NONIN_SELECT_OPTIONS = {
  select:
    'tell the device to send this format: none (it is set already: OEM III, Xpod, 3012LP), simple (9560), extended (3150, newer Onyx) (none)',
} as const;

/** `02 op length data 03`. */
export function noninCommand(operation: number, data: readonly number[]): Uint8Array {
  return Uint8Array.of(STX, operation, data.length, ...data, ETX);
}

/** The short command; the device takes it during the first 5 s of a connection. */
export function selectFormat(format: number): Uint8Array {
  return noninCommand(SELECT_FORMAT, [0x02, format]);
}

/** The command with options and a sum. `flags`: 40 spot check, 20 Bluetooth on at power-up, 01 as devices are delivered. */
export function selectFormatExtended(format: number, flags: number): Uint8Array {
  const length = 4;
  const sum = (SELECT_FORMAT + length + 0x02 + format + flags) & 0xff;
  return noninCommand(SELECT_FORMAT, [0x02, format, flags, sum]);
}

/**
 * What to send at each opening. The device answers with one byte (06 or 15), which no frame begins with. A refused or lost
 * command leads to silence, a reopened link and the same command again.
 */
export function noninCommands(options: FormatOptions, format: number, flags: number): HostCommands {
  const way = choiceOption(options, 'select', 'none', WAYS);
  if (way === 'none') return {};
  return { start: way === 'simple' ? selectFormat(format) : selectFormatExtended(format, flags) };
}
