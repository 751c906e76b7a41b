import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** A started model host as its owner sees it; `ChildProcess` fits. */
export interface HostChild {
  readonly pid: number | undefined;
  /** The socket pair to the child. */
  readonly channel: Duplex;
  readonly stderr: Readable | null;
  kill(signal: NodeJS.Signals): void;
  /** Called once, also when the process could not be started (then with `error`). */
  onExit(listener: (code: number | null, signal: NodeJS.Signals | null, error: Error | null) => void): void;
}

export type SpawnHost = () => HostChild;

/** The compiled entry of the host, beside this compiled module. */
export const HOST_ENTRY = fileURLToPath(new URL('./main.js', import.meta.url));

/**
 * Starts the host as a child process of this Node. Its standard output goes nowhere, so that nothing a native library
 * prints can reach the daemon's own output; standard error is kept for the reason of a death.
 * @param preload a runtime's module, which the host then imports before it is told to
 * @throws Error when the entry file is not there (the program was not built).
 */
export function spawnHost(entry: string = HOST_ENTRY, preload?: string): HostChild {
  if (!existsSync(entry)) throw new Error(`the model host is not built: ${entry} is missing (npm run build)`);
  // NODE_OPTIONS is meant for the daemon: a debugger port, for one, cannot be opened twice.
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  // glibc gives each thread a heap of its own (mallopt(3), M_ARENA_MAX); Node's dozen mostly idle threads share one here,
  // which saves 6 MB of memory.
  const env = { MALLOC_ARENA_MAX: '1', ...inherited };
  const flags = ['--max-old-space-size=128', '--max-semi-space-size=2'];
  const child = spawn(process.execPath, [...flags, entry, ...(preload ? [preload] : [])], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env,
  });
  return {
    pid: child.pid,
    channel: child.stdio[3] as Duplex,
    stderr: child.stderr,
    kill: (signal) => void child.kill(signal),
    onExit(listener) {
      let told = false;
      const tell = (code: number | null, signal: NodeJS.Signals | null, error: Error | null) => {
        if (told) return;
        told = true;
        listener(code, signal, error);
      };
      // Somebody who asks late must hear of it, too.
      if (child.exitCode !== null || child.signalCode !== null)
        process.nextTick(tell, child.exitCode, child.signalCode, null);
      child.once('exit', (code, signal) => tell(code, signal, null));
      child.once('error', (error) => tell(null, null, error));
    },
  };
}
