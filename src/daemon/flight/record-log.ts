import { encodeRecord, type RecordType } from '../../sensor/capture/container.js';

const FIRST_BYTES = 16 * 1024;

/** Records one after the other in one growing buffer: no object is kept for each. */
export class RecordLog {
  private buffer = Buffer.alloc(FIRST_BYTES);
  length = 0;

  add(type: RecordType, tMs: number, payload: Uint8Array): void {
    const record = encodeRecord(type, tMs, payload);
    if (this.length + record.length > this.buffer.length) {
      const grown = Buffer.alloc(Math.max(2 * this.buffer.length, this.length + record.length));
      this.buffer.copy(grown, 0, 0, this.length);
      this.buffer = grown;
    }
    this.buffer.set(record, this.length);
    this.length += record.length;
  }

  /** The records so far; later ones do not change it. */
  copy(): Uint8Array {
    return Uint8Array.from(this.buffer.subarray(0, this.length));
  }
}
