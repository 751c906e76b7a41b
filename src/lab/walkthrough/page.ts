import type { StepResult } from './run.js';

const HEAD = `# From recordings to an alert: the lab, step by step

Train, prune, quantize, export, convert, run, alert: each command of this page was run in this order and printed what stands below it.
\`npm run walkthrough\` runs them again and writes the page anew; a test runs them too. All of it takes about a minute, on any
processor, without a download and without Python. What each verb can do besides is in [The lab](lab.md).

In the slothd folder, after \`npm ci\` and \`npm run build\`:

\`\`\`sh
mkdir walkthrough && cd walkthrough
alias slothd='node ../dist/main.js'
\`\`\`
`;

/** The page: every command with what it printed. */
export function walkthroughPage(results: readonly StepResult[]): string {
  const sections = results.map(({ step, output }, i) => {
    const printed = output.trim() === '' ? '' : `It prints:\n\n\`\`\`\n${shortened(output)}\n\`\`\`\n`;
    const parts = [`## ${i + 1}. ${step.title}\n`, `${step.text}\n`, `\`\`\`sh\n${step.command}\n\`\`\`\n`, printed];
    return [...parts, step.after ? `${step.after}\n` : ''].filter((part) => part !== '').join('\n');
  });
  return [HEAD, ...sections].join('\n');
}

/** Runs of progress lines, one for each recording read, become the first and the last. */
function shortened(output: string): string {
  const lines = output.trimEnd().split('\n');
  const reading = (line: string | undefined) => line?.startsWith('reading ') ?? false;
  return lines
    .flatMap((line, i) => {
      if (!reading(line) || !reading(lines[i - 1]) || !reading(lines[i + 1])) return [line];
      return reading(lines[i - 2]) ? [] : ['...'];
    })
    .join('\n');
}
