/** Intervals of one window. */
export const RHYTHM_BEATS = 60;

/** What each feature tells, in order. `x`: intervals by their median; `dx`: their differences by the median. */
export const RHYTHM_FEATURES = [
  ...['logMedian', 'rmsChange', 'dx25', 'dx50', 'dx75', 'dx90', 'x10', 'x90', 'xIqr'],
  ...['unequalPairs', 'unequalNear', 'unequalNearByMean', 'coSampleEntropy', 'wordEntropy', 'words', 'cells', 'turns'],
  ...['correlation1', 'correlation2', 'correlation3', 'correlation4', 'bigeminy', 'change3', 'change5'],
  ...['earlyThenLate', 'compensated', 'medianGap', 'neighbour', 'over20', 'over50', 'rmsOrdinary', 'unequalSmooth'],
] as const;

const N = RHYTHM_BEATS;
/** Intervals nearer than this are equal: the tolerance of Lake & Moorman 2011 and of Petrenas 2015, s. */
const EQUAL_S = 0.03;
/** Lags over which Petrenas 2015 compares. */
const NEAR_LAGS = 7;
/** Side of a cell of the map of interval and change (Lian 2011), s. */
const CELL_S = 0.025;

/**
 * 32 numbers about the irregularity of 60 RR intervals, from the literature on atrial fibrillation: Lake & Moorman 2011
 * (CoSEn), Zhou 2015 (entropy of words of rates), Petrenas 2015 (unequal pairs of median-filtered intervals, bigeminy
 * term), Lian 2011 (cells of interval against change), and what tells ectopic beats in a regular rhythm from it:
 * autocorrelation of the changes (bigeminy: lag 2), early intervals followed by late or compensating ones, clusters.
 * All scratch space is its own: a call allocates nothing.
 */
export class RhythmFeatures {
  private readonly sorted = new Float64Array(N);
  private readonly x = new Float64Array(N);
  private readonly dx = new Float64Array(N - 1);
  private readonly smooth3 = new Float64Array(N);
  private readonly smooth5 = new Float64Array(N);
  private readonly words = new Float64Array(N - 2);
  private readonly cells = new Float64Array(N - 1);
  private readonly five = new Float64Array(5);

  /**
   * @param rrS 60 intervals in s, oldest first
   * @param out takes the features, in the order of `RHYTHM_FEATURES`
   */
  write(rrS: Float64Array, out: Float32Array): void {
    const { sorted, x, dx, smooth3, smooth5 } = this;
    sorted.set(rrS);
    sorted.sort();
    const median = quantile(sorted, N, 0.5);
    let sum = 0;
    for (let i = 0; i < N; i++) {
      sum += rrS[i]!;
      x[i] = rrS[i]! / median;
      smooth3[i] = i === 0 || i === N - 1 ? rrS[i]! : middleOfThree(rrS[i - 1]!, rrS[i]!, rrS[i + 1]!);
      smooth5[i] = this.middleOfFive(rrS, i);
    }
    const mean = sum / N;
    out[0] = Math.log(median);
    out[6] = quantile(sorted, N, 0.1) / median;
    out[7] = quantile(sorted, N, 0.9) / median;
    out[8] = (quantile(sorted, N, 0.75) - quantile(sorted, N, 0.25)) / median;
    this.changes(rrS, median, mean, out);
    this.pairs(rrS, mean, out);
    this.symbols(rrS, out);
    out[21] = Math.log((total(smooth3) / sum - 1) ** 2 + 1e-7);
    out[22] = meanChange(smooth3) / median;
    out[23] = meanChange(smooth5) / median;
    this.ectopy(out);
    // `sorted` and `dx` have given what they had: they serve for the last two medians.
    for (let i = 0; i < N - 1; i++) dx[i] = (sorted[i + 1]! - sorted[i]!) / median;
    dx.sort();
    out[26] = quantile(dx, N - 1, 0.5);
    out[27] = this.neighbourDistance();
  }

  /** Differences of neighbours: sizes, autocorrelation, turning points. */
  private changes(rrS: Float64Array, median: number, mean: number, out: Float32Array): void {
    const { dx, cells } = this;
    let square = 0;
    let over20 = 0;
    let over50 = 0;
    let turns = 0;
    for (let i = 0; i < N - 1; i++) {
      const d = rrS[i + 1]! - rrS[i]!;
      dx[i] = d / median;
      square += d * d;
      if (Math.abs(d) > 0.02) over20++;
      if (Math.abs(d) > 0.05) over50++;
      if (i > 0 && dx[i]! * dx[i - 1]! < 0) turns++;
      cells[i] = Math.floor(rrS[i]! / CELL_S) * 1024 + Math.floor(d / CELL_S);
    }
    out[1] = Math.sqrt(square / (N - 1)) / mean;
    out[15] = distinct(cells) / (N - 1);
    out[16] = turns / (N - 2);
    out[28] = over20 / (N - 1);
    out[29] = over50 / (N - 1);
    const power = square / (median * median);
    for (let lag = 1; lag <= 4; lag++) {
      let product = 0;
      for (let i = lag; i < N - 1; i++) product += dx[i]! * dx[i - lag]!;
      out[16 + lag] = power > 0 ? product / power : 0;
    }
    let ordinary = 0;
    let ordinarySquare = 0;
    for (let i = 0; i < N - 1; i++) {
      const here = this.x[i]!;
      const next = this.x[i + 1]!;
      if (here < 0.85 || here > 1.15 || next < 0.85 || next > 1.15) continue;
      ordinary++;
      ordinarySquare += dx[i]! * dx[i]!;
    }
    out[30] = ordinary > 0 ? Math.sqrt(ordinarySquare / ordinary) : 0;
    for (let i = 0; i < N - 1; i++) cells[i] = Math.abs(dx[i]!);
    cells.sort();
    out[2] = quantile(cells, N - 1, 0.25);
    out[3] = quantile(cells, N - 1, 0.5);
    out[4] = quantile(cells, N - 1, 0.75);
    out[5] = quantile(cells, N - 1, 0.9);
  }

  /** Pairs of intervals that are equal or not, and sample entropy. */
  private pairs(rrS: Float64Array, mean: number, out: Float32Array): void {
    const { smooth3 } = this;
    let unequal = 0;
    let smoothUnequal = 0;
    let near = 0;
    let nearPairs = 0;
    let one = 0;
    let two = 0;
    for (let i = 0; i < N; i++) {
      for (let j = i + 1; j < N; j++) {
        if (Math.abs(rrS[i]! - rrS[j]!) >= EQUAL_S) unequal++;
        else if (j < N - 1) {
          one++;
          if (Math.abs(rrS[i + 1]! - rrS[j + 1]!) < EQUAL_S) two++;
        }
        const far = Math.abs(smooth3[i]! - smooth3[j]!) > EQUAL_S;
        if (far) smoothUnequal++;
        if (j - i > NEAR_LAGS) continue;
        nearPairs++;
        if (far) near++;
      }
    }
    const pairs = (N * (N - 1)) / 2;
    out[9] = unequal / pairs;
    out[10] = near / nearPairs;
    out[11] = near / nearPairs / mean;
    // Half a match is added to both counts: a window without any has a finite, high value.
    out[12] = Math.log((one + 0.5) / (two + 0.5)) + Math.log(2 * EQUAL_S) - Math.log(mean);
    out[31] = smoothUnequal / pairs;
  }

  /** Zhou 2015: rates in steps of 5 bpm, words of three, their entropy scaled by the share of distinct ones. */
  private symbols(rrS: Float64Array, out: Float32Array): void {
    const { words } = this;
    for (let i = 0; i < N - 2; i++) {
      words[i] = symbolOf(rrS[i]!) * 4096 + symbolOf(rrS[i + 1]!) * 64 + symbolOf(rrS[i + 2]!);
    }
    words.sort();
    let kinds = 0;
    let entropy = 0;
    for (let i = 0, from = 0; i < N - 2; i++) {
      if (i + 1 < N - 2 && words[i + 1] === words[i]) continue;
      const share = (i + 1 - from) / (N - 2);
      entropy -= share * Math.log2(share);
      kinds++;
      from = i + 1;
    }
    out[13] = (kinds / ((N - 2) * Math.log2(N - 2))) * entropy;
    out[14] = kinds / (N - 2);
  }

  private ectopy(out: Float32Array): void {
    const { x } = this;
    let late = 0;
    let compensated = 0;
    for (let i = 0; i < N - 1; i++) {
      if (x[i]! >= 0.85) continue;
      if (x[i + 1]! > 1.1) late++;
      if (Math.abs(x[i]! + x[i + 1]! - 2) < 0.06) compensated++;
    }
    out[24] = late / (N - 1);
    out[25] = compensated / (N - 1);
  }

  /** Median over successive pairs of the distance to the nearest other pair: ectopy makes clusters, AF does not. */
  private neighbourDistance(): number {
    const { x, cells } = this;
    cells.fill(Number.POSITIVE_INFINITY);
    for (let i = 0; i < N - 1; i++) {
      for (let j = i + 1; j < N - 1; j++) {
        const distance = Math.max(Math.abs(x[i]! - x[j]!), Math.abs(x[i + 1]! - x[j + 1]!));
        if (distance < cells[i]!) cells[i] = distance;
        if (distance < cells[j]!) cells[j] = distance;
      }
    }
    cells.sort();
    return quantile(cells, N - 1, 0.5);
  }

  private middleOfFive(values: Float64Array, at: number): number {
    if (at < 2 || at > N - 3) return values[at]!;
    const { five } = this;
    for (let k = 0; k < 5; k++) {
      const value = values[at - 2 + k]!;
      let to = k;
      for (; to > 0 && five[to - 1]! > value; to--) five[to] = five[to - 1]!;
      five[to] = value;
    }
    return five[2]!;
  }
}

function symbolOf(rrS: number): number {
  return Math.min(63, Math.floor(60 / rrS / 5));
}

function middleOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

/** Of the first `count` values, sorted; interpolated. */
function quantile(sorted: Float64Array, count: number, q: number): number {
  const at = q * (count - 1);
  const low = Math.floor(at);
  const high = Math.min(count - 1, low + 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

function total(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum;
}

function meanChange(values: Float64Array): number {
  let sum = 0;
  for (let i = 1; i < values.length; i++) sum += Math.abs(values[i]! - values[i - 1]!);
  return sum / (values.length - 1);
}

/** How many different values there are. Sorts them. */
function distinct(values: Float64Array): number {
  values.sort();
  let kinds = 0;
  for (let i = 0; i < values.length; i++) if (i === 0 || values[i] !== values[i - 1]) kinds++;
  return kinds;
}
