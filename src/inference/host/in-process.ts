import { duplexPair } from 'node:stream';
import { serveModels } from './serve.js';
import type { HostChild } from './spawn.js';

type ExitListener = (code: number | null, signal: NodeJS.Signals | null, error: Error | null) => void;

/**
 * A model host inside this process, behind the same channel as one outside. For replays that nobody depends on: a question
 * costs microseconds instead of a way to another process and back, and a runtime that crashes takes this process along.
 */
export function inProcessHost(): HostChild {
  const [channel, inner] = duplexPair();
  const listeners: ExitListener[] = [];
  let ended: [code: number | null, signal: NodeJS.Signals | null] | null = null;
  const end = (code: number | null, signal: NodeJS.Signals | null) => {
    if (ended) return;
    ended = [code, signal];
    inner.destroy();
    for (const listener of listeners) listener(code, signal, null);
  };
  serveModels(inner, (code) => end(code, null));
  return {
    pid: undefined,
    channel,
    stderr: null,
    kill: (signal) => end(null, signal),
    onExit(listener) {
      if (ended) process.nextTick(listener, ...ended, null);
      else listeners.push(listener);
    },
  };
}
