import type { StreamMs } from './clock.js';

export const HEALTH_KINDS = [
  'asystole',
  'ventricular-fibrillation',
  'ventricular-tachycardia',
  'extreme-tachycardia',
  'extreme-bradycardia',
  'tachycardia',
  'bradycardia',
  'atrial-fibrillation',
  'pause',
  'frequent-ectopy',
  'anomaly',
] as const;

export const TECHNICAL_KINDS = [
  'no-data',
  'contact-off',
  'poor-signal',
  'inference-down',
  'inference-slow',
  'outbox-full',
  'clock-unsynced',
] as const;

export type HealthKind = (typeof HEALTH_KINDS)[number];
export type TechnicalKind = (typeof TECHNICAL_KINDS)[number];
export type AlertKind = HealthKind | TechnicalKind;

/** Raised and ended at once when a person asks for it, to see that alerts arrive; no rule and no list knows it. */
export const TEST_KIND = 'test';

/** Words of IEC 60601-1-8. */
export type AlertPriority = 'high' | 'medium' | 'low';
export type AlertCategory = 'health' | 'technical';

export type AlertValues = Readonly<Record<string, number | string | boolean>>;

/** What led to an alert, small enough to travel with it. */
export interface Evidence {
  /** The RR intervals before the decision, oldest first. */
  readonly rrMs?: readonly number[];
  /** A few seconds of the waveform around the event. */
  readonly signal?: {
    readonly startAtMs: StreamMs;
    readonly rateHz: number;
    readonly unit: string;
    readonly samples: readonly number[];
  };
  /** What each sensor on the same person showed at the decision, its own first; only where there are several. */
  readonly sensors?: readonly SensorWord[];
}

/** One sensor's word in the evidence of an alert. */
export interface SensorWord {
  readonly sensor: string;
  readonly source: 'ecg' | 'ppg' | 'rr';
  /** null where it has no fresh rate. */
  readonly rateBpm: number | null;
}

export interface ModelRef {
  readonly name: string;
  readonly sha256: string;
  readonly precision: string;
  readonly score?: number;
}

/** One step in the life of one alert, in stream time. `delivery/` turns it into the JSON of the contract. */
export interface AlertChange {
  /** The same for new, update and end of one episode. */
  readonly id: string;
  readonly event: 'new' | 'update' | 'end';
  /** Counts this alert's events from 1. */
  readonly sequence: number;
  readonly kind: AlertKind;
  readonly priority: AlertPriority;
  readonly category: AlertCategory;
  readonly sensor: string;
  /** When the condition began in the body, not when it was noticed. */
  readonly onsetMs: StreamMs;
  readonly raisedMs: StreamMs;
  readonly endedMs: StreamMs | null;
  readonly values: AlertValues;
  readonly evidence: Evidence;
  readonly model: ModelRef | null;
}

/** An open alert of an earlier process as the broker lists it. Times are wall clock, ms since 1970. */
export interface ListedAlert {
  readonly id: string;
  /** Of the last event that was told. */
  readonly sequence: number;
  readonly kind: AlertKind;
  readonly priority: AlertPriority;
  readonly onsetAtMs: number;
  readonly raisedAtMs: number;
  readonly values: AlertValues;
}

/** What may be told to the world: an alert's event, or one that only shows that alerts arrive. */
export type Announcement = Omit<AlertChange, 'kind'> & { readonly kind: AlertKind | typeof TEST_KIND };
