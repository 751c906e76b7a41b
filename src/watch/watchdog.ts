import type { Clock } from '../domain/clock.js';

/** A stage that must show signs of life. */
interface Heartbeat {
  readonly deadlineMs: number;
  lastMs: number;
  /** What is wrong, as the stage itself says; null while it is well. */
  fault: string | null;
}

export interface WatchVerdict {
  readonly healthy: boolean;
  /** One line a stage that is late or says it is ill. */
  readonly reasons: readonly string[];
}

/**
 * Heartbeats of the stages that turn a beat into an alert. An idle sensor is not a fault and has no heartbeat here; a
 * stage beats by doing its round, with or without data. systemd is pinged only while all are fresh.
 */
export class Watchdog {
  private readonly stages = new Map<string, Heartbeat>();

  constructor(private readonly clock: Clock) {}

  /** Expects a `beat(stage)` at least every `deadlineMs`. */
  expect(stage: string, deadlineMs: number): void {
    this.stages.set(stage, { deadlineMs, lastMs: this.clock.monotonicMs(), fault: null });
  }

  beat(stage: string, fault: string | null = null): void {
    const heartbeat = this.stages.get(stage);
    if (!heartbeat) return;
    heartbeat.lastMs = this.clock.monotonicMs();
    heartbeat.fault = fault;
  }

  verdict(): WatchVerdict {
    const now = this.clock.monotonicMs();
    const reasons: string[] = [];
    for (const [stage, { deadlineMs, lastMs, fault }] of this.stages) {
      const lateMs = now - lastMs;
      if (lateMs > deadlineMs) reasons.push(`${stage}: no sign of life for ${Math.round(lateMs)} ms`);
      else if (fault) reasons.push(`${stage}: ${fault}`);
    }
    return { healthy: reasons.length === 0, reasons };
  }
}
