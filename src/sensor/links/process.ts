import { spawn } from 'node:child_process';
import { type Link, LinkError, type LinkHandlers, type OpenLink } from './link.js';

/** A bridge that does not end when asked is killed after this. */
const KILL_AFTER_MS = 2000;
/** Of what the command says on its standard error, the last line travels with the reason of its end. */
const MOST_ERROR_TEXT = 400;

/**
 * A command whose standard output is the sensor's bytes: the BLE or ANT bridges people already have. Started without a
 * shell, so nothing in the config is expanded or joined; ended with its sensor, started again when it ends.
 */
export class ProcessLink implements Link {
  readonly name: string;

  constructor(private readonly command: readonly string[]) {
    this.name = `process:${command[0] ?? ''}`;
  }

  open(handlers: LinkHandlers): Promise<OpenLink> {
    const [file, ...args] = this.command;
    return new Promise((resolve, reject) => {
      let closing = false;
      let started = false;
      let errorText = '';
      const child = spawn(file ?? '', args, { stdio: ['pipe', 'pipe', 'pipe'], shell: false });
      const ended = new Promise<void>((done) => child.once('close', () => done()));
      child.once('error', (error: NodeJS.ErrnoException) => {
        if (!started) reject(explain(error, file ?? ''));
      });
      child.stdout.on('data', (chunk: Buffer) => {
        if (!closing) handlers.onBytes(chunk);
      });
      child.stderr.setEncoding('utf8');
      child.stderr.on('data', (text: string) => {
        errorText = (errorText + text).slice(-MOST_ERROR_TEXT);
      });
      // A bridge that does not read, or is gone: its end tells, not this.
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
      child.once('close', (code, signal) => {
        if (!started || closing) return;
        const last = errorText.trim().split('\n').at(-1) ?? '';
        handlers.onClose(`ended with ${signal ?? `exit code ${code}`}${last ? `: ${last}` : ''}`);
      });
      child.once('spawn', () => {
        started = true;
        resolve({
          write(bytes) {
            if (!closing && child.stdin.writable) child.stdin.write(bytes);
          },
          close() {
            closing = true;
            if (child.exitCode === null && child.signalCode === null) {
              child.stdin.end();
              child.kill('SIGTERM');
              const kill = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
              void ended.then(() => clearTimeout(kill));
            }
            return ended;
          },
        });
      });
    });
  }
}

function explain(error: NodeJS.ErrnoException, file: string): LinkError {
  if (error.code === 'ENOENT') return new LinkError('absent', `there is no command ${file}; name it by its full path`);
  if (error.code === 'EACCES')
    return new LinkError('forbidden', `${file} may not be run: is it executable (chmod +x)?`);
  return new LinkError('failed', `${file} does not start: ${error.message}`);
}
