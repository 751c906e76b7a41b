import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { labImport, say } from './model.js';

/** `slothd lab setup`: what the lab computes with here, made faster where that can be done. */
export function setupCommand(): Command {
  return new Command('setup')
    .description("Make TensorFlow's native library work if it does not, and say what training will use, and why.")
    .option('--yes', "run the package's install script without asking")
    .action(async ({ yes }: { readonly yes?: boolean }) => {
      const { setUpBackend } = await import('../../lab/native-setup.js');
      const { MACHINE } = await labImport(() => import('../../lab/native-setup-actions.js'));
      const backend = await setUpBackend({ ...MACHINE, say, confirm: async (question) => yes || ask(question) });
      if (backend === null) process.exitCode = 1;
    });
}

async function ask(question: string): Promise<boolean | null> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return null;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}
