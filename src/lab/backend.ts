import { createRequire } from 'node:module';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { registerWasmGradients } from './train/wasm-gradients.js';

export type BackendName = 'native' | 'wasm';

export interface Backend {
  readonly name: BackendName;
  /** One line for a person. */
  readonly description: string;
}

/** No backend that training could use; the message says what was tried and what to do. */
export class BackendError extends Error {
  override readonly name = 'BackendError';
}

/**
 * Chooses what TensorFlow.js computes with: the native library where it loads, else WebAssembly (with the gradients that
 * one lacks). The plain JavaScript backend is never used: it trains some hundred times slower.
 * @param want `auto` (native, else WebAssembly) or one of the two by name
 * @throws BackendError where the backend wanted cannot run here
 */
export async function openBackend(want: BackendName | 'auto' = 'auto'): Promise<Backend> {
  const reasons: string[] = [];
  if (want === 'auto' || want === 'native') {
    const found = await tryNative(reasons);
    if (found) return found;
  }
  if (want === 'auto' || want === 'wasm') {
    const found = await tryWasm(reasons);
    if (found) return found;
  }
  throw new BackendError(
    `no backend to train with (${reasons.join('; ') || `"${want}" is neither native nor wasm`}). The plain JavaScript backend is refused: it is hundreds of times slower.`,
  );
}

async function tryNative(reasons: string[]): Promise<Backend | null> {
  // tfjs-node 4.22 still calls two helpers that Node removed in version 23.
  const legacy = util as unknown as Record<string, unknown>;
  legacy.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  legacy.isArray ??= Array.isArray;
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  try {
    createRequire(import.meta.url)('@tensorflow/tfjs-node');
    if (!(await tf.setBackend('tensorflow'))) throw new Error('its backend does not start');
    await tf.ready();
  } catch (error) {
    reasons.push(`native: ${firstLine(error)}`);
    return null;
  }
  return { name: 'native', description: `TensorFlow (native, tfjs ${tf.version.tfjs})` };
}

async function tryWasm(reasons: string[]): Promise<Backend | null> {
  try {
    await import('@tensorflow/tfjs-backend-wasm');
    if (!(await tf.setBackend('wasm'))) throw new Error('its backend does not start');
    await tf.ready();
    registerWasmGradients();
  } catch (error) {
    reasons.push(`wasm: ${firstLine(error)}`);
    return null;
  }
  return {
    name: 'wasm',
    description: `WebAssembly (tfjs ${tf.version.tfjs}); the native library is faster: slothd lab setup`,
  };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
