/** A progress bar with the time left, on standard error; a line per stage where that is no terminal. */
export class ProgressBar {
  private readonly startedMs = performance.now();
  private lastStage = '';

  constructor(private readonly out: NodeJS.WriteStream = process.stderr) {}

  show(stage: string, done: number, of: number, note = ''): void {
    if (!this.out.isTTY) {
      if (stage !== this.lastStage) this.out.write(`${stage}\n`);
      this.lastStage = stage;
      return;
    }
    const share = of > 0 ? Math.min(1, done / of) : 0;
    const width = 24;
    const bar = '#'.repeat(Math.round(share * width)).padEnd(width, '.');
    const elapsedMs = performance.now() - this.startedMs;
    const left = share > 0.02 ? `, ${duration((elapsedMs * (1 - share)) / share)} left` : '';
    this.out.write(`\r\x1b[K[${bar}] ${Math.round(share * 100)} % ${stage}${note ? ` ${note}` : ''}${left}`);
  }

  end(): void {
    if (this.out.isTTY) this.out.write('\r\x1b[K');
  }
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
