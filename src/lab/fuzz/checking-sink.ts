import type { Carries, DropReason, ReadingSink } from '../../domain/reading.js';

const HIGHEST_BPM = 400;
const LONGEST_RR_MS = 70_000;
const MOST_KEPT = 5;

/** Counts what a decoder says, and notes everything that no decoder may ever say. */
export class CheckingSink implements ReadingSink {
  readings = 0;
  frames = 0;
  drops = 0;
  violations = 0;
  /** The first few violations, in words. */
  readonly examples: string[] = [];

  constructor(private readonly carries: Carries) {}

  sample(value: number): void {
    const { waveform } = this.carries;
    const ok = Number.isNaN(value) || (waveform !== null && value >= waveform.range.min && value <= waveform.range.max);
    this.reading(ok, 'sample', value);
  }

  deviceTime(tMs: number): void {
    this.reading(Number.isFinite(tMs), 'deviceTime', tMs);
  }

  lost(samples: number): void {
    this.reading(Number.isInteger(samples) && samples > 0, 'lost', samples);
  }

  beat(): void {
    this.reading(this.carries.beatFlags, 'beat', 1);
  }

  rr(rrMs: number): void {
    this.reading(this.carries.rr && rrMs > 0 && rrMs <= LONGEST_RR_MS, 'rr', rrMs);
  }

  heartRate(hrBpm: number): void {
    this.vital(this.carries.heartRate, 'heartRate', hrBpm, HIGHEST_BPM);
  }

  spo2(percent: number): void {
    this.vital(this.carries.spo2, 'spo2', percent, 100);
  }

  contact(): void {
    this.reading(this.carries.contact, 'contact', 1);
  }

  battery(percent: number): void {
    this.vital(this.carries.battery, 'battery', percent, 100);
  }

  frame(): void {
    this.frames++;
  }

  dropped(reason: DropReason, bytes: number): void {
    this.drops++;
    if (!(bytes >= 0)) this.violation(`dropped ${reason} ${bytes}`);
  }

  private vital(carried: boolean, kind: string, value: number, most: number): void {
    this.reading(carried && (Number.isNaN(value) || (value >= 0 && value <= most)), kind, value);
  }

  private reading(ok: boolean, kind: string, value: number): void {
    this.readings++;
    if (!ok) this.violation(`${kind} ${value}`);
  }

  private violation(text: string): void {
    this.violations++;
    if (this.examples.length < MOST_KEPT) this.examples.push(text);
  }
}
