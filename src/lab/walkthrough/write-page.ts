import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { walkthroughPage } from './page.js';
import { runSteps } from './run.js';

/** `npm run walkthrough` runs every step in a temporary folder and writes docs/walkthrough.md, if all went well. */
const root = resolve(fileURLToPath(import.meta.url), '../../../..');
const folder = await mkdtemp(join(tmpdir(), 'slothd-walkthrough-'));
try {
  const results = await runSteps(root, folder, ({ step, exitCode, output, seconds }) => {
    process.stderr.write(`${step.title}: ${seconds.toFixed(1)} s\n`);
    if (exitCode !== 0) process.stderr.write(`${step.command}\n${output}\nended with ${exitCode}\n`);
  });
  if (results.some(({ exitCode }) => exitCode !== 0)) process.exitCode = 1;
  else await writeFile(join(root, 'docs', 'walkthrough.md'), walkthroughPage(results));
} finally {
  await rm(folder, { recursive: true, force: true });
}
