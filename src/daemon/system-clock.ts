import { statSync } from 'node:fs';
import type { Clock, Timers } from '../domain/clock.js';

/** systemd-timesyncd touches this file at each synchronisation; chrony and ntpd machines are taken at their word. */
const TIMESYNC_MARK = '/run/systemd/timesync/synchronized';
/** Before this, the clock was never set: a Pi without RTC starts where it was shut down, or at 1970. */
const EARLIEST_PLAUSIBLE_MS = Date.UTC(2025, 0, 1);

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  synced() {
    if (Date.now() < EARLIEST_PLAUSIBLE_MS) return false;
    try {
      statSync('/run/systemd/timesync');
    } catch {
      return true;
    }
    try {
      statSync(TIMESYNC_MARK);
      return true;
    } catch {
      return false;
    }
  },
};

export const systemTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
