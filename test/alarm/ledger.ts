import { expect } from 'vitest';
import { explainedBy } from '../../src/alarm/subsumption.js';
import type { AlertChange, AlertKind } from '../../src/domain/alert.js';

const RANK = ['low', 'medium', 'high'];

/** The model that an engine's output is held against: what a careful receiver would keep. */
export class Ledger {
  readonly open = new Map<AlertKind, AlertChange>();
  private readonly ended = new Set<string>();
  private seen = 0;

  /** Takes what was emitted since the last call and checks every step. */
  follow(changes: readonly AlertChange[]): void {
    for (const change of changes.slice(this.seen)) this.take(change);
    this.seen = changes.length;
  }

  /** After all evaluation of one input: no alert is open beside a graver one that explains it. */
  settled(): void {
    for (const kind of this.open.keys()) {
      for (const higher of explainedBy(kind)) expect(this.open.has(higher), `${kind} beside ${higher}`).toBe(false);
    }
  }

  private take(change: AlertChange): void {
    const open = this.open.get(change.kind);
    const about = `${change.event} of ${change.kind} ${change.id}`;
    expect(this.ended.has(change.id), `${about}: after its end`).toBe(false);
    expect(change.onsetMs, `${about}: onset after raised`).toBeLessThanOrEqual(change.raisedMs);
    expect(
      Object.values(change.values).every((v) => typeof v !== 'number' || Number.isFinite(v)),
      about,
    ).toBe(true);
    if (change.event === 'new') {
      expect(open, `${about}: another is open`).toBeUndefined();
      expect(change.sequence, about).toBe(1);
    } else {
      expect(open?.id, `${about}: of another alert`).toBe(change.id);
      expect(change.sequence, `${about}: gap`).toBe(open!.sequence + 1);
      expect(RANK.indexOf(change.priority), `${about}: falls`).toBeGreaterThanOrEqual(RANK.indexOf(open!.priority));
    }
    if (change.event === 'end') {
      expect(change.endedMs, `${about}: ended before raised`).toBeGreaterThanOrEqual(change.raisedMs);
      expect(change.values.endReason, about).toBeTypeOf('string');
      this.ended.add(change.id);
      this.open.delete(change.kind);
    } else {
      expect(change.endedMs, about).toBeNull();
      this.open.set(change.kind, change);
    }
  }
}
