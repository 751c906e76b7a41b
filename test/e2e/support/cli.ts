import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterwards, until } from './world.js';

/** The compiled program, as it is installed. */
export const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

export interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  /** Resolves with the exit code, or the name of the signal. */
  readonly ended: Promise<number | string>;
}

/** Starts `slothd ...`; it is gone after the test whatever happens. */
export function startSlothd(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run npm run build first`);
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = new Promise<number | string>((resolve) => {
    // `close`, not `exit`: only then is all output here.
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  afterwards(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  return { child, out: () => out, err: () => err, ended };
}

export async function slothd(...args: string[]): Promise<{ code: number | string; out: string; err: string }> {
  const running = startSlothd(args);
  const code = await running.ended;
  return { code, out: running.out(), err: running.err() };
}

/** Waits for a text in the program's output; fails at once when the program ends without it. */
export async function untilSays(running: Running, text: string, timeoutMs = 30_000): Promise<void> {
  let code: number | string | null = null;
  void running.ended.then((value) => {
    code = value;
  });
  await until(
    () => `"${text}" in:\n${running.out()}\n${running.err()}`,
    () => {
      if (running.out().includes(text)) return true;
      if (code !== null) throw new Error(`ended (${code}) without "${text}":\n${running.out()}\n${running.err()}`);
      return false;
    },
    timeoutMs,
  );
}
