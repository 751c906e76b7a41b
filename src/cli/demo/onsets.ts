import type { AlertKind } from '../../domain/alert.js';

/** A condition of the simulated heart that an alert may be about. */
interface TrueOnset {
  readonly kind: AlertKind;
  readonly atMs: number;
  endedAtMs: number | null;
}

/** An alert may be raised this long after its condition has ended and still be about it. */
const LATE_MS = 60_000;

/** The truth of the simulated heart, to tell how long after the true onset an alert came. */
export class OnsetBook {
  private readonly onsets: TrueOnset[] = [];

  begin(kind: AlertKind, atMs: number): void {
    this.onsets.push({ kind, atMs, endedAtMs: null });
  }

  end(kind: AlertKind, atMs: number): void {
    const open = this.onsets.findLast((onset) => onset.kind === kind && onset.endedAtMs === null);
    if (open) open.endedAtMs = atMs;
  }

  /** When what an alert of `kind`, told at `nowMs`, is about truly began; null where nothing of the kind happened. */
  onsetOf(kind: string, nowMs: number): number | null {
    const found = this.onsets.findLast(
      (onset) => onset.kind === kind && (onset.endedAtMs === null || nowMs - onset.endedAtMs < LATE_MS),
    );
    return found?.atMs ?? null;
  }

  /** The same for the end of the condition. */
  endOf(kind: string): number | null {
    return this.onsets.findLast((onset) => onset.kind === kind)?.endedAtMs ?? null;
  }
}
