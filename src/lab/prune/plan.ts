import { LabError } from '../error.js';
import type { Parameter } from '../train/adamw.js';
import { MagnitudePruner } from './pruner.js';
import { ConstantSparsity, PolynomialDecay, type PruningSchedule } from './schedules.js';

export const SCHEDULES = ['PolynomialDecay', 'ConstantSparsity'] as const;

/** What a person asks of a magnitude pruning. */
export interface PruningWish {
  /** Share of each kernel's weights that become zero. */
  readonly sparsity: number;
  /** `PolynomialDecay` unless told. */
  readonly schedule?: (typeof SCHEDULES)[number];
  /** Shares of single layers, by name: 0 leaves one alone. */
  readonly layers?: Readonly<Record<string, number>>;
  /** Weights on so many steps to either side of zero, by output channel: fewer values make a file that compresses better. */
  readonly levels?: number;
  /** Share of the unpruned network's own answers in what is learnt meanwhile; none unless told. */
  readonly teacher?: number;
}

/** When, within a training, the masks are renewed: shares of its steps. */
export interface PruningTimes {
  readonly initialSparsity: number;
  readonly frequency: number;
  readonly begin: number;
  readonly end: number;
}

/**
 * The pruner of a training of so many steps: sparsity rises between `begin` and `end`, afterwards the net settles.
 * @param names of the weights that take part (kernels), to check the layers' names with
 * @throws LabError for a layer that is not there
 */
export function plannedPruner(
  wish: PruningWish,
  times: PruningTimes,
  steps: number,
  names: readonly string[],
): MagnitudePruner {
  const kernels = names.filter((name) => name.includes('kernel'));
  for (const layer of Object.keys(wish.layers ?? {})) {
    if (kernels.some((name) => layerOf(name) === layer)) continue;
    const known = kernels.map(layerOf).join(', ');
    throw new LabError(`no layer '${layer}' has a kernel to prune; these have: ${known}`);
  }
  const schedules = new Map<number, PruningSchedule>();
  const of = (sparsity: number) => {
    let schedule = schedules.get(sparsity);
    if (!schedule) {
      schedule = scheduleOf(sparsity, wish.schedule ?? 'PolynomialDecay', times, steps);
      schedules.set(sparsity, schedule);
    }
    return schedule;
  };
  return new MagnitudePruner(({ name }: Parameter) => of(wish.layers?.[layerOf(name)] ?? wish.sparsity));
}

function scheduleOf(sparsity: number, kind: PruningWish['schedule'], times: PruningTimes, steps: number) {
  const { initialSparsity, frequency, begin, end } = times;
  const beginStep = Math.round(begin * steps);
  // The last update falls on the last step of the schedule, so the final sparsity is reached exactly.
  const endStep = beginStep + frequency * Math.max(1, Math.floor((end * steps - beginStep) / frequency));
  if (kind === 'ConstantSparsity')
    return new ConstantSparsity({ targetSparsity: sparsity, beginStep, endStep, frequency });
  const initial = Math.min(initialSparsity, sparsity);
  return new PolynomialDecay({ initialSparsity: initial, finalSparsity: sparsity, beginStep, endStep, frequency });
}

/** `conv1/kernel` belongs to `conv1`. */
function layerOf(name: string): string {
  return name.split('/')[0]!;
}
