import { statSync } from 'node:fs';
import type { Clock, Timers } from '../domain/clock.js';

/** systemd-timesyncd touches this file at each synchronisation; chrony and ntpd machines are taken at their word. */
const TIMESYNC_MARK = '/run/systemd/timesync/synchronized';
/** Before this, the clock was never set: a Pi without RTC starts where it was shut down, or at 1970. */
const EARLIEST_PLAUSIBLE_MS = Date.UTC(2025, 0, 1);

/** Asked with every message; the answer changes once in the life of a boot. */
const LOOK_EVERY_MS = 1000;
let lookedAtMs = Number.NEGATIVE_INFINITY;
let marked = false;

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  synced() {
    if (Date.now() < EARLIEST_PLAUSIBLE_MS) return false;
    const nowMs = performance.now();
    if (nowMs - lookedAtMs >= LOOK_EVERY_MS) {
      lookedAtMs = nowMs;
      marked = isThere(TIMESYNC_MARK) || !isThere('/run/systemd/timesync');
    }
    return marked;
  },
};

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

export const systemTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
