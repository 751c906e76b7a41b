/** Counters of questions since the start, latencies of answers (from the question to its answer), and who waits now. */
export interface QuestionStats {
  readonly queued: number;
  /** Batches answered, and the items in them. */
  readonly runs: number;
  readonly items: number;
  readonly timeouts: number;
  readonly lateAnswers: number;
  /** Pushed out of a full queue. */
  readonly dropped: number;
  /** Answered null because the host died over them. */
  readonly lost: number;
  /** Inputs that do not fit the model, runs that failed in it, answers that are not finite. */
  readonly faults: number;
  readonly lastFault: string | null;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Time inside the model per run, without queue and transport. */
  readonly modelP50Ms: number;
  readonly modelP99Ms: number;
  readonly recentP99Ms: number | null;
  readonly budgetMs: number;
  readonly overBudget: number;
  /** The recent p99 is above the soft budget. */
  readonly slow: boolean;
}

/** The same with what became of the hosts. */
export interface InferenceStats extends QuestionStats {
  readonly generation: number;
  readonly hostPid: number | null;
  readonly hostResidentMiB: number | null;
  readonly respawns: number;
  readonly memoryRestarts: number;
  /** Asked while no model could answer. */
  readonly unavailable: number;
}
