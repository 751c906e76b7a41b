import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's young generation at its first size (1 MiB a half). It would double with each burst of work to 16 MiB and
 * never shrink; a daemon that makes a few MB of short-lived objects a second has no use for that, and a Pi has for the
 * 35 MB (`npm run bench:footprint`). Short collections also stand less before an alert. To be called before the heap has
 * grown, so before what the verb needs is loaded.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
