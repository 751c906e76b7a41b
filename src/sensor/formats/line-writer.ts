/** The device's side of a text format: lines ended by CR LF, as Arduino's `println` ends them. */
export class LineWriter {
  private first = true;

  constructor(private readonly write: (bytes: Uint8Array) => void) {}

  /** Writes one line. A newline goes ahead of the very first, so that a reader who drops cut lines loses none. */
  line(text: string): void {
    this.write(Buffer.from(this.first ? `\r\n${text}\r\n` : `${text}\r\n`, 'utf8'));
    this.first = false;
  }
}
