/**
 * The newest bytes of a stream. Many small chunks go in and hardly ever does somebody look, so a chunk costs its own copy
 * and, once in a while, one of what is kept.
 */
export class LastBytes {
  private readonly buffer: Buffer;
  private end = 0;

  /** @param kept how many bytes `copy` gives at most */
  constructor(private readonly kept: number) {
    this.buffer = Buffer.allocUnsafeSlow(2 * kept);
  }

  push(bytes: Uint8Array): void {
    const { buffer, kept } = this;
    const fresh = bytes.length > kept ? bytes.subarray(bytes.length - kept) : bytes;
    if (this.end + fresh.length > buffer.length) {
      // What is kept moves to the front; with it there is room for as much again.
      buffer.copyWithin(0, this.end - kept, this.end);
      this.end = kept;
    }
    buffer.set(fresh, this.end);
    this.end += fresh.length;
  }

  clear(): void {
    this.end = 0;
  }

  copy(): Uint8Array {
    return new Uint8Array(this.buffer.subarray(Math.max(0, this.end - this.kept), this.end));
  }
}
