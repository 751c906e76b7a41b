import type { Clock, Timers } from '../../src/domain/clock.js';
import type { Link, LinkHandlers, OpenLink } from '../../src/sensor/links/link.js';

/** Time that a test moves by hand; delayed calls run in order when it passes them. */
export class ManualTime implements Clock, Timers {
  /** What `synced` says of the wall clock. */
  isSynced = true;
  private now = 1000;
  private readonly queue: { at: number; run: () => void }[] = [];

  monotonicMs(): number {
    return this.now;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.now;
  }

  synced(): boolean {
    return this.isSynced;
  }

  after(delayMs: number, run: () => void): () => void {
    const entry = { at: this.now + delayMs, run };
    this.queue.push(entry);
    return () => {
      const index = this.queue.indexOf(entry);
      if (index >= 0) this.queue.splice(index, 1);
    };
  }

  get pending(): number {
    return this.queue.length;
  }

  /** Moves time on; promises settle between two delayed calls. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await settle();
      this.queue.sort((a, b) => a.at - b.at);
      const next = this.queue[0];
      if (!next || next.at > end) break;
      this.queue.shift();
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = end;
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 8; i++) await Promise.resolve();
}

/** A link whose other side the test plays. */
export class FakeLink implements Link {
  readonly name = 'fake';
  opens = 0;
  closes = 0;
  written: Uint8Array[] = [];
  handlers: LinkHandlers | null = null;
  refuse: Error | null = null;

  async open(handlers: LinkHandlers): Promise<OpenLink> {
    this.opens++;
    if (this.refuse) throw this.refuse;
    this.handlers = handlers;
    return {
      write: (bytes) => {
        this.written.push(bytes);
      },
      close: async () => {
        this.closes++;
      },
    };
  }
}
