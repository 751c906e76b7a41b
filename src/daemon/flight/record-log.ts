import { type RecordType, recordBytes, writeRecord } from '../../sensor/capture/container.js';

const FIRST_BYTES = 16 * 1024;

/** Records one after the other in one growing buffer: no object is kept for each, and none is made on the way in. */
export class RecordLog {
  private buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  length = 0;

  add(type: RecordType, tMs: number, payload: Uint8Array): void {
    const needed = this.length + recordBytes(payload.length);
    if (needed > this.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.buffer.length, needed));
      this.buffer.copy(grown, 0, 0, this.length);
      this.buffer = grown;
    }
    this.length = writeRecord(this.buffer, this.length, type, tMs, payload);
  }

  /** The records so far; later ones do not change it. */
  copy(): Uint8Array {
    return new Uint8Array(this.buffer.subarray(0, this.length));
  }
}
