/** The stations' work as measured: each is a histogram `slothd_stage_duration_seconds{stage=...}`. */
export const STAGES = ['decode', 'detect', 'window', 'inference', 'alarm', 'publish_ack', 'wire_to_alert'] as const;
export type Stage = (typeof STAGES)[number];

/** Where stations report how long a stage took. */
export interface StageRecorder {
  record(stage: Stage, durationMs: number): void;
}
