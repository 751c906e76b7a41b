/** How sparse a layer shall be at a training step. Names and defaults of tensorflow_model_optimization. */
export interface PruningSchedule {
  /** Whether masks are to be made anew at this step, and for which share of zeros. */
  at(step: number): { readonly update: boolean; readonly sparsity: number };
  readonly targetSparsity: number;
}

export interface PolynomialDecayOptions {
  readonly initialSparsity: number;
  readonly finalSparsity: number;
  readonly beginStep: number;
  readonly endStep: number;
  /** 3 unless told. */
  readonly power?: number;
  /** Steps between two updates of the masks; 100 unless told. */
  readonly frequency?: number;
}

/**
 * Sparsity that rises fast first, slowly at the end (Zhu & Gupta, "To prune, or not to prune", 2017):
 * final + (initial - final) * (1 - (step - begin) / (end - begin)) ^ power.
 */
export class PolynomialDecay implements PruningSchedule {
  readonly targetSparsity: number;
  private readonly options: Required<PolynomialDecayOptions>;

  constructor(options: PolynomialDecayOptions) {
    this.options = { power: 3, frequency: 100, ...options };
    const { initialSparsity, finalSparsity, beginStep, endStep, frequency } = this.options;
    checkSparsity('initialSparsity', initialSparsity);
    checkSparsity('finalSparsity', finalSparsity);
    checkSteps(beginStep, frequency);
    if (!(endStep > beginStep)) throw new RangeError(`endStep (${endStep}) must come after beginStep (${beginStep})`);
    this.targetSparsity = finalSparsity;
  }

  at(step: number) {
    const { initialSparsity, finalSparsity, beginStep, endStep, power, frequency } = this.options;
    const share = Math.min(1, Math.max(0, (step - beginStep) / (endStep - beginStep)));
    const sparsity = finalSparsity + (initialSparsity - finalSparsity) * (1 - share) ** power;
    const update = step >= beginStep && step <= endStep && (step - beginStep) % frequency === 0;
    return { update, sparsity };
  }
}

export interface ConstantSparsityOptions {
  readonly targetSparsity: number;
  readonly beginStep: number;
  /** -1, the default: until the training ends. */
  readonly endStep?: number;
  readonly frequency?: number;
}

/** The same sparsity throughout, as soon as pruning begins. */
export class ConstantSparsity implements PruningSchedule {
  readonly targetSparsity: number;
  private readonly options: Required<ConstantSparsityOptions>;

  constructor(options: ConstantSparsityOptions) {
    this.options = { endStep: -1, frequency: 100, ...options };
    const { targetSparsity, beginStep, frequency } = this.options;
    checkSparsity('targetSparsity', targetSparsity);
    checkSteps(beginStep, frequency);
    this.targetSparsity = targetSparsity;
  }

  at(step: number) {
    const { targetSparsity, beginStep, endStep, frequency } = this.options;
    const within = step >= beginStep && (endStep === -1 || step <= endStep);
    return { update: within && (step - beginStep) % frequency === 0, sparsity: targetSparsity };
  }
}

function checkSparsity(name: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new RangeError(`${name} must be at least 0 and below 1, is ${value}`);
}

function checkSteps(beginStep: number, frequency: number): void {
  if (!(beginStep >= 0)) throw new RangeError(`beginStep must be at least 0, is ${beginStep}`);
  if (!(frequency >= 1)) throw new RangeError(`frequency must be at least 1, is ${frequency}`);
}
