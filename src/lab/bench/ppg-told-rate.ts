/** The wave is looked at this many times a second: a pulse's first harmonic lies below 4 Hz. */
const WORK_HZ = 32;
/** The phase is that of the last and next 2.5 s together: not causal, on purpose. */
const REACH_S = 2.5;
/** Intervals that make a moment's rate, on each side. */
const INTERVALS = 4;

/**
 * Beats of somebody who is told the heart's true rate at each moment, sees the whole recording, and has to find only when
 * in each cycle the pulse comes: the phase of the wave's component at that rate. No detector that must find the rate
 * too, and that without looking ahead, can be expected to do much better.
 */
export function toldTheRate(wave: Float64Array, rateHz: number, referenceMs: readonly number[]): number[] {
  const step = Math.round(rateHz / WORK_HZ);
  const hz = rateHz / step;
  const length = Math.floor(wave.length / step);
  const values = Float64Array.from({ length }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < step; k++) sum += wave[i * step + k]!;
    return sum / step;
  });
  const mean = values.reduce((sum, v) => sum + v, 0) / length;
  const cycles = turnsOf(referenceMs, length, hz);
  const even = smoothed(values, (v, i) => (v - mean) * Math.cos(2 * Math.PI * cycles[i]!), hz);
  const odd = smoothed(values, (v, i) => -(v - mean) * Math.sin(2 * Math.PI * cycles[i]!), hz);
  const beatsMs: number[] = [];
  let before = Number.NaN;
  for (let i = 0; i < length; i++) {
    const phase = cycles[i]! + Math.atan2(odd[i]!, even[i]!) / (2 * Math.PI);
    const within = phase - Math.floor(phase);
    if (before > 0.75 && within < 0.25) beatsMs.push((i * 1000) / hz);
    before = within;
  }
  return beatsMs;
}

/** Heart beats gone by at each moment, by the median of the intervals around it. */
function turnsOf(beatsMs: readonly number[], length: number, hz: number): Float64Array {
  const turns = new Float64Array(length);
  let next = 0;
  let sum = 0;
  for (let i = 0; i < length; i++) {
    while (next < beatsMs.length - 1 && beatsMs[next]! < (i * 1000) / hz) next++;
    const near = beatsMs.slice(Math.max(0, next - INTERVALS), next + INTERVALS + 1);
    const intervals = near.slice(1).map((t, k) => t - near[k]!);
    sum += 1000 / hz / (intervals.sort((x, y) => x - y)[intervals.length >> 1] ?? 1000);
    turns[i] = sum;
  }
  return turns;
}

/** What `of` makes of each value, averaged over the reach with a raised cosine. */
function smoothed(values: Float64Array, of: (value: number, i: number) => number, hz: number): Float64Array {
  const reach = Math.round(REACH_S * hz);
  const made = values.map(of);
  return values.map((_, i) => {
    let sum = 0;
    for (let k = Math.max(0, i - reach); k <= Math.min(values.length - 1, i + reach); k++) {
      sum += made[k]! * (1 + Math.cos((Math.PI * (k - i)) / (reach + 1)));
    }
    return sum;
  });
}
