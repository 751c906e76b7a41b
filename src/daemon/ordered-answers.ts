/** Carries out what waits for answers in the order it was asked for, whenever each answer comes. */
export class OrderedAnswers {
  private last: Promise<void> = Promise.resolve();
  private waiting = 0;
  private idle: (() => void)[] = [];

  get pending(): number {
    return this.waiting;
  }

  /** `run` is called after all that was added before it has ended. */
  add(run: () => void | Promise<void>): void {
    this.waiting++;
    this.last = this.last.then(run).then(() => {
      if (--this.waiting === 0) for (const resolve of this.idle.splice(0)) resolve();
    });
  }

  /** Resolves when nothing waits any more. */
  settled(): Promise<void> {
    if (this.waiting === 0) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }
}
