import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type LabModel, labImport, type PruneTableArguments, say, workFolder } from './model.js';

/** `slothd lab prune --table`: sparsity against accuracy, bytes, compressed bytes and latency, as text or JSON. */
export async function pruningTable(
  model: LabModel,
  options: PruneTableArguments & { readonly model: string; readonly out?: string },
): Promise<void> {
  const { renderPruningTable } = await labImport(() => import('../../lab/prune/table.js'));
  const rows = await model.pruningTable(options);
  const folder = options.out ?? workFolder(options.model);
  await mkdir(folder, { recursive: true });
  const json = JSON.stringify(rows, null, 1);
  await writeFile(join(folder, 'pruning-table.json'), `${json}\n`);
  say(options.json ? json : `${renderPruningTable(rows)}\n${join(folder, 'pruning-table.json')}: the same as JSON`);
}
