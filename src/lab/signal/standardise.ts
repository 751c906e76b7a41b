/** Root mean square about the mean; 0 of none. */
export function deviationOf(samples: Float32Array): number {
  return aboutMean(samples).deviation;
}

/** The same samples with a mean of 0 and a deviation of 1; those that do not move become 0. */
export function standardised(samples: Float32Array): Float32Array {
  const { mean, deviation } = aboutMean(samples);
  const scale = deviation || 1;
  return samples.map((value) => (value - mean) / scale);
}

function aboutMean(samples: Float32Array): { mean: number; deviation: number } {
  const count = Math.max(1, samples.length);
  let sum = 0;
  for (const value of samples) sum += value;
  const mean = sum / count;
  let squares = 0;
  for (const value of samples) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / count) };
}
