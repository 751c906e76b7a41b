import { readFile } from 'node:fs/promises';
import type { Timers } from '../../domain/clock.js';
import { type Link, LinkError, type LinkHandlers, type OpenLink } from './link.js';

const CHUNK_MS = 20;

/** A file of raw bytes, played in a loop at a steady rate: a sensor for trying a config without one. */
export class RecordingLink implements Link {
  readonly name: string;

  constructor(
    private readonly file: string,
    private readonly bytesPerSecond: number,
    private readonly timers: Timers,
  ) {
    this.name = `recording:${file}`;
  }

  async open(handlers: LinkHandlers): Promise<OpenLink> {
    const bytes = await readFile(this.file).catch((error: Error) => {
      throw new LinkError('absent', `the recording ${this.file} cannot be read: ${error.message}`);
    });
    if (bytes.length === 0) throw new LinkError('failed', `the recording ${this.file} is empty`);
    const perChunk = Math.max(1, Math.round((this.bytesPerSecond * CHUNK_MS) / 1000));
    let at = 0;
    let cancel = () => {};
    const play = () => {
      const end = Math.min(at + perChunk, bytes.length);
      handlers.onBytes(bytes.subarray(at, end));
      at = end === bytes.length ? 0 : end;
      cancel = this.timers.after(CHUNK_MS, play);
    };
    cancel = this.timers.after(0, play);
    return {
      write() {},
      close() {
        cancel();
        return Promise.resolve();
      },
    };
  }
}
