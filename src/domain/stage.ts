/**
 * The stations' work as measured: each is a histogram `slothd_stage_duration_seconds{stage=...}`. `inference_queue` is the
 * wait for the model host, `inference` the whole answer (queue and transport in it), `outbox_write` one batch of the
 * store to the disk.
 */
export const STAGES = [
  'decode',
  'detect',
  'window',
  'inference_queue',
  'inference',
  'alarm',
  'outbox_write',
  'publish_ack',
  'wire_to_alert',
] as const;
export type Stage = (typeof STAGES)[number];

/** Whose work was measured, where the recorder is not a sensor's own. */
export interface StageSubject {
  readonly sensor?: string;
  /** Kept as the exemplar of the bucket the duration falls into. */
  readonly alertId?: string;
}

/** Where stations report how long a stage took. */
export interface StageRecorder {
  record(stage: Stage, durationMs: number, subject?: StageSubject): void;
}
