/** SIGHUP from the first moment on: what comes before somebody listens is told once somebody does. */
export class HangUps {
  private waiting = false;
  private listener: (() => void) | null = null;

  constructor(on: (signal: 'SIGHUP', run: () => void) => unknown = (signal, run) => process.on(signal, run)) {
    on('SIGHUP', () => {
      if (this.listener) this.listener();
      else this.waiting = true;
    });
  }

  listen(listener: () => void): void {
    this.listener = listener;
    if (this.waiting) listener();
    this.waiting = false;
  }
}
