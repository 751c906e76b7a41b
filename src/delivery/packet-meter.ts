/** Longest `remaining length` of the protocol: four bytes of seven bits (MQTT 5, 1.5.5). */
const LENGTH_BYTES = 4;

/**
 * Looks at the size that each incoming packet announces in its fixed header, before anybody gathers its bytes: a broker of
 * MQTT 3.1.1 cannot be told how much we take, and passes on what anybody publishes, up to 256 MB.
 */
export class PacketMeter {
  /** What is left of the packet that is passing by. */
  private left = 0;
  /** Bytes of the length read so far; -1: the next byte begins a packet. */
  private lengthBytes = -1;
  private length = 0;

  constructor(private readonly maxBytes: number) {}

  /** Takes the next bytes of the stream. @returns the size of a packet that is larger than allowed; null: all is well */
  take(chunk: Uint8Array): number | null {
    let at = 0;
    while (at < chunk.length) {
      if (this.left > 0) {
        const passed = Math.min(this.left, chunk.length - at);
        this.left -= passed;
        at += passed;
        continue;
      }
      const byte = chunk[at++] as number;
      if (this.lengthBytes < 0) {
        this.lengthBytes = 0;
        this.length = 0;
        continue;
      }
      this.length += (byte & 0x7f) * 128 ** this.lengthBytes;
      this.lengthBytes++;
      if (byte > 0x7f && this.lengthBytes < LENGTH_BYTES) continue;
      if (this.length > this.maxBytes) return this.length;
      this.left = this.length;
      this.lengthBytes = -1;
    }
    return null;
  }
}
