import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Timers } from '../../domain/clock.js';
import type { Format, SerialSettings } from '../../domain/reading.js';
import { FORMATS } from '../formats/registry.js';
import type { Link } from '../links/link.js';
import { type Guess, guessFormat } from './guess.js';

const run = promisify(execFile);

/** Settings in the order in which devices use them; never 1200 baud, which sends boards into their bootloader. */
const EXTRA_RATES: readonly number[] = [57_600, 250_000, 38_400];
/** More is not kept: at 1 Mbaud a few seconds would fill memory. */
const MOST_BYTES = 262_144;

export interface Heard {
  readonly settings: SerialSettings;
  readonly bytes: number;
  readonly guess: Guess;
}

export interface ProbeResult {
  /** The settings and format found; null where none fits, and then `heard` says why at each. */
  readonly found: Heard | null;
  readonly heard: readonly Heard[];
}

export interface ProbeWorld {
  /** A link with these settings; it is only listened to. */
  openLink(settings: SerialSettings): Link;
  readonly timers: Timers;
  /** Told before each setting is tried. */
  onTry?(settings: SerialSettings): void;
}

/** Every setting that a registered format uses, the commonest first. */
export function settingsToTry(formats: Iterable<Format> = FORMATS.values()): SerialSettings[] {
  const counts = new Map<string, { settings: SerialSettings; count: number }>();
  const add = (settings: SerialSettings, count: number) => {
    const key = `${settings.baudRate} ${settings.dataBits} ${settings.parity} ${settings.stopBits}`;
    const known = counts.get(key);
    if (known) known.count += count;
    else counts.set(key, { settings, count });
  };
  for (const format of formats) add(format.serial, 1);
  for (const baudRate of EXTRA_RATES) add({ baudRate, dataBits: 8, parity: 'none', stopBits: 1 }, 0);
  return [...counts.values()]
    .filter(({ settings }) => settings.baudRate !== 1200)
    .sort((a, b) => b.count - a.count)
    .map(({ settings }) => settings);
}

/**
 * Finds rate, parity and format of a port by listening at one setting after the other. Nothing is ever written.
 * @param listenMs how long to listen at each setting; a format may ask for more by speaking seldom
 * @throws LinkError where the port does not open
 */
export async function probePort(
  settings: readonly SerialSettings[],
  listenMs: number,
  world: ProbeWorld,
): Promise<ProbeResult> {
  const heard: Heard[] = [];
  for (const one of settings) {
    world.onTry?.(one);
    const bytes = await listen(world.openLink(one), listenMs, world.timers);
    const guess = guessFormat(bytes);
    const entry = { settings: one, bytes: bytes.length, guess };
    heard.push(entry);
    if (guess.format) return { found: entry, heard };
  }
  return { found: null, heard };
}

async function listen(link: Link, listenMs: number, timers: Timers): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let finish = () => {};
  const over = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const open = await link.open({
    onBytes(bytes) {
      if (length >= MOST_BYTES) return;
      chunks.push(bytes.slice());
      length += bytes.length;
    },
    onClose: () => finish(),
  });
  const cancel = timers.after(listenMs, finish);
  await over;
  cancel();
  await open.close();
  return Buffer.concat(chunks);
}

/** A port's settings as `stty -g` tells them, to be put back; null where they cannot be read. */
export async function readSettings(path: string): Promise<string | null> {
  const port = await realpath(path).catch(() => path);
  return run('stty', ['-F', port, '-g']).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
}

/** Puts the settings back; false where that failed. */
export async function restoreSettings(path: string, saved: string): Promise<boolean> {
  const port = await realpath(path).catch(() => path);
  return run('stty', ['-F', port, saved]).then(
    () => true,
    () => false,
  );
}
