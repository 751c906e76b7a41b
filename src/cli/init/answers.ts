import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { UsageError } from '../usage-error.js';

/**
 * Answers of a person, line by line; from a pipe, too, whose lines may all be there before the first question (readline's
 * own `question` loses those).
 */
export class Answers {
  private readonly reader: Interface;
  private readonly lines: string[] = [];
  private waiting: { resolve(line: string): void; reject(error: Error): void } | null = null;
  private ended = false;

  constructor(
    input: Readable,
    private readonly output: Writable & { readonly isTTY?: boolean },
    // Where a port is being listened to, it hears of it and puts that one back.
    onInterrupt: () => void = () => process.kill(process.pid, 'SIGINT'),
  ) {
    const terminal = (input as { readonly isTTY?: boolean }).isTTY === true && output.isTTY === true;
    this.reader = createInterface({ input, output, terminal });
    this.reader.on('line', (line) => {
      if (this.waiting) this.waiting.resolve(line.trim());
      else this.lines.push(line.trim());
      this.waiting = null;
    });
    this.reader.on('close', () => {
      this.ended = true;
      this.waiting?.reject(noMore());
      this.waiting = null;
    });
    this.reader.on('SIGINT', () => {
      // Nobody waits any more, so nothing is said of an end of the input.
      this.waiting = null;
      this.reader.close();
      output.write('\n');
      onInterrupt();
    });
  }

  /** @throws UsageError where the input has ended */
  to(question: string): Promise<string> {
    this.reader.setPrompt(question);
    if (!this.ended) this.reader.prompt();
    else this.output.write(question);
    const line = this.lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.ended) return Promise.reject(noMore());
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
  }

  close(): void {
    this.reader.close();
  }
}

function noMore(): UsageError {
  return new UsageError('there is nobody to answer: --yes takes what is proposed');
}
