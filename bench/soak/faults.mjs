// Faults at random: each kind once in shuffled order, then by weight. Which and when follows from the seed.
import { setTimeout as sleep } from 'node:timers/promises';

/** How often, against each other. */
const WEIGHTS = { unplug: 6, garbage: 6, broker: 3, 'host-kill': 2, 'host-stop': 2, 'daemon-kill': 1 };
/** What ends a process, and with it the chance to see it leak. */
const ENDS_A_LIFE = new Set(['host-kill', 'host-stop', 'daemon-kill']);
const MOST_GARBAGE_BYTES = 4000;

export class FaultMaker {
  counts = Object.fromEntries(Object.keys(WEIGHTS).map((kind) => [kind, 0]));
  #first;

  constructor(world) {
    this.world = world;
    this.#first = Object.keys(WEIGHTS)
      .map((kind) => [world.random(), kind])
      .sort(([a], [b]) => a - b)
      .map(([, kind]) => kind);
  }

  /**
   * Makes one fault, mends it, says what it was.
   * @param {{ lives: boolean }} spare `lives`: processes are left alone, so that a leak can be seen
   */
  async next({ lives }) {
    const kind = this.#first.pop() ?? this.#weighted(lives);
    const detail = await this.#make(kind);
    this.counts[kind]++;
    return `${kind} ${detail}`;
  }

  #weighted(spareLives) {
    const kinds = Object.entries(WEIGHTS).filter(([kind]) => !(spareLives && ENDS_A_LIFE.has(kind)));
    let left = this.world.random() * kinds.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [kind, weight] of kinds) {
      left -= weight;
      if (left < 0) return kind;
    }
    return 'unplug';
  }

  async #make(kind) {
    const { random, sensors, broker, daemon, hostOf } = this.world;
    const sensor = sensors[Math.floor(random() * sensors.length)];
    const ms = Math.round(500 + random() * 14_500);
    switch (kind) {
      case 'unplug':
        sensor.port.unplug();
        await sleep(ms);
        await sensor.port.replug();
        return `${sensor.name} for ${ms} ms`;
      case 'garbage': {
        const bytes = Uint8Array.from({ length: 1 + Math.floor(random() * MOST_GARBAGE_BYTES) }, () => random() * 256);
        sensor.port.write(bytes);
        return `${sensor.name} ${bytes.length} bytes`;
      }
      case 'broker':
        await broker.stop();
        await sleep(ms);
        await broker.start();
        return `away for ${ms} ms`;
      case 'daemon-kill':
        await daemon.kill('SIGKILL');
        await sleep(ms / 5);
        await daemon.start();
        return `and started after ${Math.round(ms / 5)} ms`;
      default: {
        const pid = hostOf();
        if (pid === null) return 'there was no host';
        signal(pid, kind === 'host-kill' ? 'SIGKILL' : 'SIGSTOP');
        if (kind === 'host-kill') return '';
        await sleep(ms);
        // The daemon may have ended it by then, which is its right.
        signal(pid, 'SIGCONT');
        return `for ${ms} ms`;
      }
    }
  }
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}
