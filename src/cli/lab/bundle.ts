import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DataOptions, type LabModel, labImport, reporter, say, workFolder } from './model.js';

export interface ReportArguments extends DataOptions {
  readonly bundle?: string;
  readonly work?: string;
  readonly out?: string;
  readonly model: string;
}

/** Whether a folder is a bundle rather than a training. */
export function isBundle(folder: string): boolean {
  return existsSync(join(folder, 'manifest.json'));
}

async function again(model: LabModel, dir: string, options: DataOptions) {
  const { reevaluate } = await labImport(() => import('../../lab/export/index.js'));
  const { bar, onReading } = reporter();
  let testSet: Awaited<ReturnType<LabModel['testSet']>> | undefined;
  const result = await reevaluate(
    dir,
    async (manifest) => {
      testSet = await model.testSet(manifest, options);
      return testSet;
    },
    onReading,
  );
  bar.end();
  return { ...result, evaluation: testSet!.evaluation(result.defaultAnswers) };
}

/** Every figure of a bundle's card, measured again in the shipped runtime. */
export async function evaluateBundle(
  model: LabModel,
  dir: string,
  options: DataOptions & { json?: boolean },
): Promise<void> {
  const { manifest, variants } = await again(model, dir, options);
  if (options.json) {
    say(JSON.stringify({ name: manifest.name, version: manifest.version, variants }, null, 1));
    return;
  }
  const names = Object.keys(variants[0]!.figures);
  say(['variant', 'bytes', 'gzip', 'agreement', ...names, 'p50 us', 'p99 us'].join('  '));
  for (const variant of variants) {
    const { id, bytes, gzipBytes, agreement, figures, p50Us, p99Us } = variant;
    const values = [`${(agreement * 100).toFixed(2)} %`, ...names.map((name) => figures[name]!.toFixed(4))];
    say([id, bytes, gzipBytes, ...values, p50Us.toFixed(1), p99Us.toFixed(1)].join('  '));
  }
  const differing = variants.flatMap(({ id, differs }) =>
    Object.entries(differs).map(
      ([name, [before, now]]) => `${id}: ${name} is ${now.toFixed(4)}, the manifest says ${before.toFixed(4)}`,
    ),
  );
  say(differing.length > 0 ? differing.join('\n') : 'all figures but the times are those of the manifest');
}

/** Writes the HTML page about a bundle. */
export async function report(model: LabModel, options: ReportArguments): Promise<void> {
  const { model: name, bundle = join('models', name), work = workFolder(name), data } = options;
  const out = options.out ?? join(work, 'report.html');
  const { renderReport } = await labImport(() => import('../../lab/report/page.js'));
  const { loadHistory } = await labImport(() => import('../../lab/train/history.js'));
  const { manifest, evaluation } = await again(model, bundle, { data });
  const histories = [];
  for (const part of ['float', 'pruned']) {
    histories.push({ name: part, phases: await loadHistory(join(work, part)) });
  }
  await mkdir(dirname(out), { recursive: true });
  const command = ['slothd lab report', `--model ${name}`, ...(options.bundle ? [`--bundle ${options.bundle}`] : [])];
  await writeFile(out, renderReport({ manifest, histories, evaluation, command: command.join(' ') }));
  say(`${out}: open it in a browser`);
}
