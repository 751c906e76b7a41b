// Checks one after the other: each is printed as it ends, a bad one does not stop the rest.
import { spawnSync } from 'node:child_process';

export class Verdicts {
  /** `{ name, ok, says }` of each check so far. */
  list = [];

  /** @param work throws with what is wrong, or gives what there is to say; may be asynchronous */
  async check(name, work) {
    const from = performance.now();
    const verdict = { name, ok: true, says: '' };
    try {
      verdict.says = (await work()) ?? '';
    } catch (error) {
      verdict.ok = false;
      verdict.says = [error.message, error.stdout, error.stderr].filter(Boolean).join('\n').trim();
    }
    this.list.push(verdict);
    const seconds = ((performance.now() - from) / 1000).toFixed(1);
    process.stdout.write(
      `${verdict.ok ? 'ok  ' : 'BAD '} ${name} (${seconds} s)${verdict.says ? `: ${verdict.says}` : ''}\n`,
    );
  }

  /** Last line and exit code. */
  end() {
    const bad = this.list.filter(({ ok }) => !ok).length;
    process.stdout.write(bad === 0 ? 'all is well\n' : `${bad} of ${this.list.length} checks are bad\n`);
    process.exitCode = bad === 0 ? 0 : 1;
  }
}

export function has(program) {
  return spawnSync('/bin/sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
}
