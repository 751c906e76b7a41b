/**
 * An electrode that lets go looks like a heart that stops, but for this: the line jumps by as much as a beat is high or more,
 * what is left of the beats is far smaller, and the amplifier, which blocks steady voltages, lets the line creep back. A heart
 * that stops leaves its baseline where it is.
 *
 * Chosen on mitdb DS1 (116, 208) and the odd records of vfdb, and seen on the others: half a second after the collapse the lines of 116
 * and 208 are still 2 to 2.8 usual heights off, of which 35 to 83 % are gone one and a half seconds later. In all of mitdb it finds a loss 11 times, in svdb once, in vfdb never.
 */

/** A line without anything as high as a beat for so long has collapsed: few hearts are slower, and asystole is told after 4 s. */
const COLLAPSED_BLOCKS = 20;
/** Later than this after the collapse the question how it began is not asked any more. */
const LATEST_BLOCKS = 40;
/**
 * So long after the collapse the line is held to be the amplifier's. Then it is taken for a heart's again, so that asystole is told
 * late and not never where heart and electrode went at once. Electrodes of mitdb and svdb took 5 to 12 s to draw a beat again.
 */
const HOLD_BLOCKS = 100;
/** The level before: the middle one of these blocks before the collapse. Between lie the jump itself and its ringing. */
const BEFORE = { from: 15, to: 5 } as const;
/** The level that the line jumped to is that of three blocks among these of the collapse: a last T wave, tall as it may be, is over. */
const JUMPED = { from: 5, to: 13 } as const;
const SMOOTH_BLOCKS = 3;
/** How far the line must have jumped, in usual heights (of the QRS band), and which share of it must have crept back. */
const JUMP = 1;
const RETURNED = 0.15;
/**
 * Of the seconds before the jump so many at least showed a heart in calm signal, and so many at most a wave like fibrillation:
 * a shock makes the line jump and creep back, too, and what it leaves may be asystole.
 */
const HEART = { ofSeconds: 16, calm: 4, waves: 4 } as const;
const BLOCKS_PER_SECOND = 10;
const RING = 64;

/** Tells from an ECG's level and height, in blocks of 100 ms, whether its electrode has let go. Allocates nothing. */
export class ContactLoss {
  isLost = false;
  private readonly levels = new Float64Array(RING);
  private readonly sorted = new Float64Array(BEFORE.from - BEFORE.to);
  private count = 0;
  /** Blocks since anything was as high as a beat. */
  private quiet = 0;
  /** A bit for each judged second, the newest lowest. */
  private calm = 0;
  private waves = 0;

  /** A second was judged: whether it is calm signal with beats in it, and whether it comes near a sine wave. */
  judged(isCalm: boolean, isWave: boolean): void {
    this.calm = (this.calm << 1) | (isCalm ? 1 : 0);
    this.waves = (this.waves << 1) | (isWave ? 1 : 0);
  }

  /**
   * A block is over.
   * @param level its mean, in the signal's unit
   * @param isQuiet nothing in it was as high as a beat
   * @param usual height of a usual beat, same unit; 0 while it is not known
   * @returns whether `isLost` has changed
   */
  push(level: number, isQuiet: boolean, usual: number): boolean {
    this.levels[this.count++ % RING] = level;
    this.quiet = isQuiet && usual > 0 ? this.quiet + 1 : 0;
    const was = this.isLost;
    if (was) this.isLost = this.quiet > 0 && this.quiet <= HOLD_BLOCKS;
    else if (this.quiet >= COLLAPSED_BLOCKS && this.quiet <= LATEST_BLOCKS)
      this.isLost = this.hadHeart() && this.hasJumped(usual);
    return this.isLost !== was;
  }

  /** What comes has nothing to do with what was. */
  clear(): void {
    this.isLost = false;
    this.count = 0;
    this.quiet = 0;
    this.calm = 0;
    this.waves = 0;
  }

  private hasJumped(usual: number): boolean {
    if (this.count < this.quiet + BEFORE.from) return false;
    const before = this.levelBefore();
    let jump = 0;
    for (let first = JUMPED.from; first <= JUMPED.to - SMOOTH_BLOCKS; first++) {
      const moved = this.levelAt(this.quiet - SMOOTH_BLOCKS - first) - before;
      if (Math.abs(moved) > Math.abs(jump)) jump = moved;
    }
    const left = this.levelAt(0) - before;
    return Math.abs(jump) > JUMP * usual && 1 - left / jump > RETURNED;
  }

  private hadHeart(): boolean {
    // The windows of these seconds hold the jump.
    const since = Math.ceil(this.quiet / BLOCKS_PER_SECOND) + 1;
    const countOf = (bits: number) => countBits((bits >>> since) & ((1 << HEART.ofSeconds) - 1));
    return countOf(this.calm) >= HEART.calm && countOf(this.waves) <= HEART.waves;
  }

  /** Mean level of three blocks, `back` blocks before the newest. */
  private levelAt(back: number): number {
    let sum = 0;
    for (let i = 0; i < SMOOTH_BLOCKS; i++) sum += this.levelOf(back + i);
    return sum / SMOOTH_BLOCKS;
  }

  private levelBefore(): number {
    const { sorted } = this;
    for (let i = 0; i < sorted.length; i++) sorted[i] = this.levelOf(this.quiet + BEFORE.to + i);
    sorted.sort();
    return sorted[sorted.length >> 1]!;
  }

  private levelOf(back: number): number {
    return this.levels[(this.count - 1 - back) % RING]!;
  }
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
