import { type LoadedModel, RUNTIMES, type RuntimeChoice } from './host/messages.js';

/** A host that lived this long had a good start: its death counts as the first one again. */
const STEADY_MS = 10_000;
/** Deaths in a row after which the variant itself is suspected, and another one tried. */
const VARIANT_DEATHS = 3;
/** Deaths in a row after which the runtime is suspected, and the next one tried. */
const RUNTIME_DEATHS = 5;
/** Deaths in a row after which nothing helps: it is left alone for the longest wait each time, rules do the work. */
const HOPELESS_DEATHS = 8;
/** Deaths before a runtime ever loaded after which it is taken to be unfit for this machine. */
const UNLOADED_DEATHS = 2;
/** What a library that is not made for this CPU or system dies of, as far as it tells: no second try can help. */
const UNFIT = new Set<NodeJS.Signals>(['SIGILL', 'SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGTRAP', 'SIGSYS']);

/** How a host ended. */
export interface Death {
  /** How long it had its models loaded, ms; null: it never did. */
  readonly livedMs: number | null;
  readonly signal: NodeJS.Signals | null;
  /** For a person. */
  readonly why: string;
}

/**
 * What the next host shall run, after what became of the former ones: the chosen variants, then another precision, then
 * the next runtime, then rules alone. Every step is told in words.
 */
export class Fallback {
  #deaths = 0;
  #runtime = 0;
  /** Why each runtime before the present one is not used. */
  readonly #passedOver: string[] = [];
  /** Whether the present runtime has ever had its models loaded. */
  #proved = false;
  /** The last runtime was found unfit, too; it is tried on only for want of a better one. */
  #exhausted = false;
  /** What each slot's first load chose. */
  readonly #chosen = new Map<string, LoadedModel>();
  /** Slots that run another variant than the chosen one, because hosts with that one died again and again. */
  readonly #instead = new Map<string, string>();

  constructor(private readonly runtimes: readonly RuntimeChoice[] = RUNTIMES.auto) {}

  get runtime(): RuntimeChoice {
    return this.runtimes[this.#runtime] as RuntimeChoice;
  }

  get deaths(): number {
    return this.#deaths;
  }

  /**
   * The present runtime has not loaded yet and has a try left: how this will end is not known. A runtime that has been
   * tried in vain gave way to the next one, or was the last.
   */
  get isUndecided(): boolean {
    return !this.#proved && !this.#exhausted;
  }

  /** Nothing helped: the next try comes after the longest wait. */
  get hopeless(): boolean {
    return this.#deaths >= HOPELESS_DEATHS;
  }

  /** The variant a slot has to run; undefined: it shall be chosen. */
  variantOf(slot: string): string | undefined {
    return this.#instead.get(slot) ?? this.#chosen.get(slot)?.variant;
  }

  /** What the slot's first load on this runtime chose. */
  chosen(slot: string): LoadedModel | undefined {
    return this.#chosen.get(slot);
  }

  /** A host has loaded this. */
  loaded(model: LoadedModel): void {
    this.#proved = true;
    if (!this.#chosen.has(model.slot)) this.#chosen.set(model.slot, model);
  }

  /** The first host tried another variant after it had loaded: that choice stands. */
  revised(model: LoadedModel): void {
    this.#chosen.set(model.slot, model);
  }

  /** Why something else runs than was wanted first; empty where it does not. */
  get note(): string {
    const variants = [...this.#instead].map(
      ([slot, other]) => `${slot}: ${other} instead of ${this.#chosen.get(slot)?.variant ?? 'the chosen variant'}`,
    );
    return [
      ...(this.#passedOver.length > 0
        ? [`runs on the ${this.runtime.runtime} runtime: ${this.#passedOver.join('; ')}`]
        : []),
      ...(variants.length > 0 ? [`${variants.join(', ')}, for hosts with it died again and again`] : []),
    ].join('; ');
  }

  /** Why every runtime before the present one is not used; empty for the first one. */
  get passedOver(): readonly string[] {
    return this.#passedOver;
  }

  /** The present runtime cannot be used at all. @returns whether another one is left to try */
  runtimeFailed(fault: string): boolean {
    if (this.#runtime + 1 >= this.runtimes.length) {
      this.#exhausted = true;
      return false;
    }
    this.#passedOver.push(fault);
    this.#runtime++;
    this.#proved = false;
    // Variants are chosen by their speed, and that is another one on another runtime.
    this.#chosen.clear();
    this.#instead.clear();
    return true;
  }

  /** A stopgap variant that is refused gives way to the chosen one. @returns whether there was such a stopgap */
  stopgapRefused(): boolean {
    const any = this.#instead.size > 0;
    this.#instead.clear();
    return any;
  }

  /** @returns what changes because of it, for a person; empty: the same is tried again */
  died({ livedMs, signal, why }: Death): string {
    this.#deaths = livedMs !== null && livedMs > STEADY_MS ? 1 : this.#deaths + 1;
    const unfit = livedMs === null && !this.#proved;
    if (unfit && ((signal && UNFIT.has(signal)) || this.#deaths >= UNLOADED_DEATHS))
      return this.#nextRuntime(`the ${this.runtime.runtime} runtime does not start here (${why})`);
    if (this.#deaths === VARIANT_DEATHS) return this.#changeVariant();
    if (this.#deaths === RUNTIME_DEATHS)
      return this.#nextRuntime(`hosts with the ${this.runtime.runtime} runtime died again and again (${why})`);
    return '';
  }

  /** Everything from the beginning: somebody has mended what was wrong. */
  reset(): void {
    this.#deaths = 0;
    this.#runtime = 0;
    this.#proved = false;
    this.#exhausted = false;
    this.#passedOver.length = 0;
    this.#chosen.clear();
    this.#instead.clear();
  }

  #nextRuntime(fault: string): string {
    return this.runtimeFailed(fault) ? `${fault}: now the ${this.runtime.runtime} runtime is tried` : '';
  }

  /** The other precision may live where the chosen one dies: fp32 where it was not that, else what the bundle has. */
  #changeVariant(): string {
    const changed: string[] = [];
    for (const [slot, { variant, manifest }] of this.#chosen) {
      const others = manifest.variants.map(({ id }) => id).filter((id) => id !== variant);
      const other = others.includes('fp32') ? 'fp32' : others[0];
      if (other === undefined || this.#instead.has(slot)) continue;
      this.#instead.set(slot, other);
      changed.push(`${slot} runs ${other} instead of ${variant}`);
    }
    return changed.length > 0 ? `${VARIANT_DEATHS} deaths in a row: ${changed.join(', ')}` : '';
  }
}
