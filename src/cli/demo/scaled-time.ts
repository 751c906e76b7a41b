import type { Clock, Timers } from '../../domain/clock.js';

/** Time that runs `speed` times as fast as the given one: the daemon and its sensor live in it, the network does not. */
export function scaledTime(clock: Clock, timers: Timers, speed: number): Clock & Timers {
  const monotonicZero = clock.monotonicMs();
  const wallZero = clock.wallMs();
  const elapsed = () => (clock.monotonicMs() - monotonicZero) * speed;
  return {
    monotonicMs: () => monotonicZero + elapsed(),
    wallMs: () => wallZero + elapsed(),
    synced: () => clock.synced(),
    after: (delayMs, run) => timers.after(delayMs / speed, run),
  };
}
