import { spawn } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { STEPS, type Step } from './steps.js';

export interface StepResult {
  readonly step: Step;
  readonly exitCode: number;
  /** Standard output and standard error as they came. */
  readonly output: string;
  readonly seconds: number;
}

/**
 * Runs the steps one after the other in `<folder>/walkthrough`, beside links to the checkout's `dist` and `test`, and
 * stops after the first that fails.
 * @param root the slothd folder, built
 * @param folder an empty folder that the caller removes
 */
export async function runSteps(
  root: string,
  folder: string,
  onStep: (result: StepResult) => void = () => {},
): Promise<StepResult[]> {
  const work = join(folder, 'walkthrough');
  await mkdir(work, { recursive: true });
  for (const name of ['dist', 'test']) await symlink(join(root, name), join(folder, name));
  const results: StepResult[] = [];
  for (const step of STEPS) {
    const result = await run(step, work);
    results.push(result);
    onStep(result);
    if (result.exitCode !== 0) break;
  }
  return results;
}

function run(step: Step, cwd: string): Promise<StepResult> {
  const startedMs = performance.now();
  const script = `set -e\nexec 2>&1\nslothd() { node ../dist/main.js "$@"; }\n${step.command}\n`;
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', script], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ step, exitCode: code ?? 1, output, seconds: (performance.now() - startedMs) / 1000 }),
    );
  });
}
