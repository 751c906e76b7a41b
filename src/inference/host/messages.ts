import type { Manifest } from '../bundle/manifest.js';

/** What computes: the native ONNX runtime, or its WASM build where the native one cannot load. */
export type Runtime = 'native' | 'wasm';

/** Where a runtime comes from and how it is called in logs and metrics. */
export interface RuntimeChoice {
  readonly runtime: Runtime;
  /** Module to import; it must offer onnxruntime-common's `InferenceSession` and `Tensor`. */
  readonly module: string;
}

export const NATIVE_RUNTIME: RuntimeChoice = { runtime: 'native', module: 'onnxruntime-node' };
/** The same runtime compiled to WebAssembly: for machines whose system or CPU the native one is not made for. */
export const WASM_RUNTIME: RuntimeChoice = { runtime: 'wasm', module: 'onnxruntime-web' };

/** What the setting `inference.runtime` stands for: runtimes in the order they are tried. */
export const RUNTIMES: Readonly<Record<'auto' | Runtime, readonly RuntimeChoice[]>> = {
  auto: [NATIVE_RUNTIME, WASM_RUNTIME],
  native: [NATIVE_RUNTIME],
  wasm: [WASM_RUNTIME],
};

export interface LoadRequest {
  readonly runtime: RuntimeChoice;
  readonly models: readonly {
    /** The daemon's word for the model's place: `beat`. */
    readonly slot: string;
    readonly dir: string;
    /** A variant's id, or `auto`: time the default variant against fp32 on this machine and take the faster. */
    readonly variant: string;
  }[];
  /** How long the timing of one variant may take. */
  readonly timingMs: number;
  /** The default variants answer at once; others are tried between the answers, and a revised report follows. */
  readonly tryLater: boolean;
}

/** One variant tried at load on this machine. */
export interface VariantTrial {
  readonly variant: string;
  /** Median time of one item, ms; null where it was not timed. */
  readonly medianMs: number | null;
  /** Why it cannot be used; null when it can. */
  readonly refused: string | null;
}

/** What is known of a model that runs: its choice of variant, and the manifest without the golden vectors. */
export interface LoadedModel {
  readonly slot: string;
  readonly dir: string;
  readonly variant: string;
  readonly precision: string;
  readonly sha256: string;
  readonly runtime: Runtime;
  /** Whether several items may go in one run. */
  readonly takesBatches: boolean;
  readonly trials: readonly VariantTrial[];
  readonly manifest: Omit<Manifest, 'golden'>;
}

export interface LoadReport {
  /** A second report of the same host: other variants were tried meanwhile, and the faster ones run now. */
  readonly revised?: boolean;
  /** Why the runtime itself cannot be used; then there are no models. */
  readonly runtimeFault: string | null;
  readonly models: readonly {
    readonly slot: string;
    readonly loaded: LoadedModel | null;
    readonly refused: string | null;
  }[];
}
