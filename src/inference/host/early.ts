import { NATIVE_RUNTIME } from './messages.js';
import { type HostChild, type SpawnHost, spawnHost } from './spawn.js';

/**
 * A model host that is started before the rest of the daemon is even read: on the second core Node comes up and the native
 * runtime is loaded meanwhile, which is most of what a host needs until it answers.
 */
export interface EarlyHost {
  /** Gives the waiting host once, and ordinary new ones from then on. */
  readonly spawn: SpawnHost;
  /** Ends it where nobody took it. */
  close(): void;
}

export function startEarlyHost(start: (preload?: string) => HostChild = startHost): EarlyHost {
  let waiting: HostChild | null = null;
  try {
    waiting = start(NATIVE_RUNTIME.module);
  } catch {
    // Whoever asks for a host will hear why there is none.
  }
  const child = waiting;
  // One that did not even live until it was wanted is no use; the next one's death will be looked into.
  child?.onExit(() => {
    if (waiting === child) waiting = null;
  });
  return {
    spawn: () => {
      const taken = waiting;
      waiting = null;
      return taken ?? start();
    },
    close: () => {
      waiting?.channel?.end();
      waiting = null;
    },
  };
}

function startHost(preload?: string): HostChild {
  return spawnHost(undefined, preload);
}
