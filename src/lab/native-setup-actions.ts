import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import type { LoadOutcome, SetupActions } from './native-setup.js';

const BACKEND_MODULE = new URL('./backend.js', import.meta.url).href;

/** A download of some hundred MB over a slow line may take long; a hung one is given up. */
const INSTALL_TIMEOUT_MS = 20 * 60_000;
const LOAD_TIMEOUT_MS = 60_000;

/** What `setUpBackend` does to this very machine. */
export const MACHINE: Pick<SetupActions, 'load' | 'installed' | 'install'> = {
  async load(backend): Promise<LoadOutcome> {
    const script = `
      const { openBackend } = await import(${JSON.stringify(BACKEND_MODULE)});
      await openBackend(${JSON.stringify(backend)});
      const tf = await import('@tensorflow/tfjs');
      const [sum] = await tf.matMul([[1, 2]], [[3], [4]]).data();
      if (sum !== 11) throw new Error('it computes ' + sum + ' where 11 is right');`;
    const args = ['--input-type=module', '-e', script];
    const { exitCode, output } = await run(process.execPath, args, slothdFolder(), LOAD_TIMEOUT_MS);
    return exitCode === 0 ? { loads: true } : { loads: false, reason: reasonIn(output) ?? `exit code ${exitCode}` };
  },
  installed: () => packageFolder() !== null,
  install() {
    const args = ['rebuild', '@tensorflow/tfjs-node', '--ignore-scripts=false', '--foreground-scripts'];
    return run('npm', args, resolve(packageFolder()!, '../../..'), INSTALL_TIMEOUT_MS);
  },
};

/** The folder of the package, wherever npm put it; null where it is not installed. */
function packageFolder(): string | null {
  try {
    return dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node/package.json'));
  } catch {
    return null;
  }
}

function slothdFolder(): string {
  return resolve(import.meta.dirname, '../..');
}

/** The words of a child's last lines that say why. */
function reasonIn(output: string): string | null {
  const tried = /no backend to train with \((?:native|wasm): (.*?)\)\. The plain/.exec(output);
  if (tried) return tried[1]!.trim();
  const lines = output.split('\n').map((line) => line.trim());
  return lines.find((line) => /^\w*Error\b.*:/.test(line)) ?? lines.filter(Boolean).at(-1) ?? null;
}

function run(command: string, args: readonly string[], cwd: string, timeoutMs: number) {
  return new Promise<{ exitCode: number; output: string }>((done) => {
    const child = spawn(command, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      shell: process.platform === 'win32' && command === 'npm',
    });
    let output = '';
    const take = (text: string) => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', (error) => done({ exitCode: 1, output: `${output}${error}` }));
    child.on('close', (code, signal) =>
      done({ exitCode: code ?? 1, output: signal ? `${output}\nended by ${signal}` : output }),
    );
  });
}
