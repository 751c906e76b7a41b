import type { PublishOutcome } from './in-flight.js';

/** Hands a retained message to the broker; false where it takes none now. */
export type PublishRetained = (topic: string, payload: string, done: (outcome: PublishOutcome) => void) => boolean;

interface State {
  payload: string;
  onAcked: (() => void) | null;
  /** Connections lost in a row with this on its way. */
  losses: number;
}

/** After so many of them a state may be what the broker hangs up on: a size limit that it does not announce. */
const MOST_LOSSES = 3;
/** No broker's limit is below this: what is smaller is not to blame. */
const SURELY_TAKEN_BYTES = 1024;

/**
 * The last word on each retained topic. A broker may have lost its memory, so everything is said again on each connect;
 * between connects only what changed. An empty payload removes the topic from the broker.
 */
export class RetainedState {
  private readonly states = new Map<string, State>();
  private readonly dirty = new Set<string>();
  /** What the broker has refused: said again only when asked to, or an access rule would make us ask without end. */
  private readonly refused = new Set<string>();
  /** What seems too large for the broker: tried again one at a time, the smallest first, when asked to. */
  private readonly suspects = new Set<string>();

  /** @param onSuspect something is held back now that seems too large */
  constructor(private readonly onSuspect: (topic: string, bytes: number) => void = () => {}) {}

  /** Sets a topic's payload. `onAcked` is called when the broker has this (or a newer) payload. */
  set(topic: string, payload: string, onAcked: (() => void) | null = null): void {
    const known = this.states.get(topic);
    if (known && known.payload === payload) {
      known.onAcked ??= onAcked;
      if (onAcked) this.due(topic);
      return;
    }
    this.states.set(topic, { payload, onAcked, losses: known?.losses ?? 0 });
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
    this.suspects.delete(topic);
  }

  /** Tries one of those again that seemed too large. */
  trySuspect(): void {
    let smallest: [topic: string, state: State] | null = null;
    for (const topic of this.suspects) {
      const state = this.states.get(topic);
      if (state && (smallest === null || state.payload.length < smallest[1].payload.length)) smallest = [topic, state];
    }
    if (smallest === null) return;
    const [topic, state] = smallest;
    this.suspects.delete(topic);
    state.losses = MOST_LOSSES - 1;
    this.dirty.add(topic);
  }

  /** Something seems too large and is held back. */
  get hasSuspects(): boolean {
    return this.suspects.size > 0;
  }

  /** Another broker: what the last one hung up on means nothing. */
  forgive(): void {
    this.suspects.clear();
    for (const state of this.states.values()) state.losses = 0;
  }

  /** Everything must be said again, but for what is held back. */
  markAll(): void {
    for (const topic of this.states.keys()) this.due(topic);
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
      if (state.losses >= MOST_LOSSES && state.payload.length > SURELY_TAKEN_BYTES) {
        this.dirty.delete(topic);
        this.suspects.add(topic);
        this.onSuspect(topic, state.payload.length);
        continue;
      }
      const taken = publish(topic, state.payload, (outcome) => {
        if (outcome === 'acked') {
          const { onAcked } = state;
          state.onAcked = null;
          const now = this.now(topic, state);
          const { losses } = now;
          now.losses = 0;
          onAcked?.();
          // It was not to blame: the next one may be tried.
          if (losses >= MOST_LOSSES - 1 && state.payload.length > SURELY_TAKEN_BYTES) this.trySuspect();
        } else if (outcome === 'lost') {
          this.now(topic, state).losses++;
          this.dirty.add(topic);
        } else {
          this.dirty.delete(topic);
          this.refused.add(topic);
        }
      });
      if (!taken) return false;
      this.dirty.delete(topic);
    }
    return true;
  }

  /** What is to be said now of a topic, which may be more than was on its way. */
  private now(topic: string, sent: State): State {
    return this.states.get(topic) ?? sent;
  }

  private due(topic: string): void {
    if (!this.refused.has(topic) && !this.suspects.has(topic)) this.dirty.add(topic);
  }
}
