import type { PublishOutcome } from './in-flight.js';

/** Hands a retained message to the broker; false where it takes none now. */
export type PublishRetained = (topic: string, payload: string, done: (outcome: PublishOutcome) => void) => boolean;

interface State {
  payload: string;
  onAcked: (() => void) | null;
}

/**
 * The last word on each retained topic. A broker may have lost its memory, so everything is said again on each connect;
 * between connects only what changed. An empty payload removes the topic from the broker.
 */
export class RetainedState {
  private readonly states = new Map<string, State>();
  private readonly dirty = new Set<string>();
  /** What the broker has refused: said again only when asked to, or an access rule would make us ask without end. */
  private readonly refused = new Set<string>();

  /** Sets a topic's payload. `onAcked` is called when the broker has this (or a newer) payload. */
  set(topic: string, payload: string, onAcked: (() => void) | null = null): void {
    const known = this.states.get(topic);
    if (known && known.payload === payload) {
      known.onAcked ??= onAcked;
      if (onAcked) this.due(topic);
      return;
    }
    this.states.set(topic, { payload, onAcked });
    this.due(topic);
  }

  /** What was last set; undefined where nothing is. */
  payloadOf(topic: string): string | undefined {
    return this.states.get(topic)?.payload;
  }

  /** A topic must be said again. */
  again(topic: string): void {
    if (this.states.has(topic)) this.due(topic);
  }

  /** Nothing is said of a topic any more, until it is set again; what the broker has of it stays there. */
  forget(topic: string): void {
    this.states.delete(topic);
    this.dirty.delete(topic);
  }

  /** Everything must be said again. */
  markAll(): void {
    this.refused.clear();
    for (const topic of this.states.keys()) this.dirty.add(topic);
  }

  /** What the broker has refused is to be tried again. */
  markRefused(): void {
    for (const topic of this.refused) this.dirty.add(topic);
    this.refused.clear();
  }

  /** Hands over what is due, as far as `publish` takes it. Returns false when it takes no more. */
  pump(publish: PublishRetained): boolean {
    for (const topic of this.dirty) {
      const state = this.states.get(topic);
      if (!state) continue;
      const taken = publish(topic, state.payload, (outcome) => {
        if (outcome === 'acked') {
          const { onAcked } = state;
          state.onAcked = null;
          onAcked?.();
        } else if (outcome === 'lost') this.dirty.add(topic);
        else {
          this.dirty.delete(topic);
          this.refused.add(topic);
        }
      });
      if (!taken) return false;
      this.dirty.delete(topic);
    }
    return true;
  }

  private due(topic: string): void {
    if (!this.refused.has(topic)) this.dirty.add(topic);
  }
}
