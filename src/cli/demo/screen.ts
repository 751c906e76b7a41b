/** Where the demo writes: a live line that stays at the bottom of a terminal, or plain lines elsewhere. */
export class Screen {
  private live = '';
  private lastPlainMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly fancy: boolean,
    /** Without a terminal, the live line is printed this often. */
    private readonly plainEveryMs = 5000,
  ) {}

  line(text = ''): void {
    if (!this.fancy) this.out.write(`${text}\n`);
    else this.out.write(`\r\x1b[K${text}\n${this.live}`);
  }

  status(text: string): void {
    if (!this.fancy) {
      const now = performance.now();
      if (now - this.lastPlainMs < this.plainEveryMs) return;
      this.lastPlainMs = now;
      this.out.write(`${text}\n`);
      return;
    }
    // Cut to the terminal: a line that wraps cannot be overwritten.
    this.live = text.slice(0, Math.max(20, (this.out.columns ?? 80) - 1));
    this.out.write(`\r\x1b[K${this.live}`);
  }

  end(): void {
    if (this.fancy) this.out.write('\r\x1b[K');
  }

  paint(text: string, colour: 'red' | 'yellow' | 'green' | 'dim'): string {
    if (!this.fancy || process.env.NO_COLOR) return text;
    const code = { red: 31, yellow: 33, green: 32, dim: 2 }[colour];
    return `\x1b[${code}m${text}\x1b[0m`;
  }
}
