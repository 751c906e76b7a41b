/** One model input, flattened row-major; shape and meaning are the manifest's. */
export type ModelInputs = readonly Float32Array[];

/** What a model is for: its place in the host. */
export const MODEL_SLOTS = ['beat', 'rhythm', 'shockable', 'anomaly'] as const;
export type ModelSlot = (typeof MODEL_SLOTS)[number];

export type InferenceState = 'starting' | 'ready' | 'down';

/** What is running, for `about`, `health` and the alerts that cite it. */
export interface ModelInfo {
  readonly name: string;
  readonly sha256: string;
  readonly precision: string;
  readonly runtime: string;
}

/**
 * Asks a loaded model for scores. The promise resolves with the model's outputs for one item, or with null when there
 * is no answer (host down, deadline passed): callers go on without it.
 */
export interface InferencePort {
  infer(model: string, inputs: ModelInputs): Promise<Float32Array | null>;
  state(): InferenceState;
  info(model: string): ModelInfo | null;
}
