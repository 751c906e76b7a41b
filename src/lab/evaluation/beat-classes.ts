/** Rows: true N, S, V, F, Q. Columns: predicted N, S, V (the models here have no other outputs). */
export type ClassMatrix = number[][];

export interface ClassFigures {
  readonly sensitivity: number;
  readonly positivePredictivity: number;
  readonly f1: number;
}

export interface BeatClassReport {
  readonly beats: number;
  readonly matrix: ClassMatrix;
  /** Over beats that are truly N, S or V. */
  readonly accuracy: number;
  /** Over all beats: F and Q are always wrong here. */
  readonly accuracyAllClasses: number;
  readonly N: ClassFigures;
  readonly S: ClassFigures;
  readonly V: ClassFigures;
}

export function newClassMatrix(): ClassMatrix {
  return Array.from({ length: 5 }, () => [0, 0, 0]);
}

export function addMatrices(matrices: Iterable<ClassMatrix>): ClassMatrix {
  const sum = newClassMatrix();
  for (const matrix of matrices) {
    for (const [truth, row] of matrix.entries()) for (const [said, n] of row.entries()) sum[truth]![said]! += n;
  }
  return sum;
}

/**
 * The figures of a confusion matrix by the conventions of ANSI/AAMI EC57 as de Chazal 2004 states them: calling a fusion
 * or unclassifiable beat V is not held against V, nor calling an unclassifiable one S against S; every other wrong call
 * is. A figure without any beat to judge is 0.
 */
export function reportOf(matrix: ClassMatrix): BeatClassReport {
  const at = (truth: number, said: number) => matrix[truth]![said]!;
  const rowSum = (truth: number) => matrix[truth]!.reduce((sum, n) => sum + n, 0);
  const figures = (k: number, forgiven: readonly number[]): ClassFigures => {
    const falsely = [0, 1, 2, 3, 4].filter((truth) => truth !== k && !forgiven.includes(truth));
    const sensitivity = ratio(at(k, k), rowSum(k));
    const positivePredictivity = ratio(at(k, k), at(k, k) + falsely.reduce((sum, truth) => sum + at(truth, k), 0));
    const f1 = ratio(2 * sensitivity * positivePredictivity, sensitivity + positivePredictivity);
    return { sensitivity, positivePredictivity, f1 };
  };
  const right = at(0, 0) + at(1, 1) + at(2, 2);
  const judged = rowSum(0) + rowSum(1) + rowSum(2);
  const beats = judged + rowSum(3) + rowSum(4);
  return {
    beats,
    matrix,
    accuracy: ratio(right, judged),
    accuracyAllClasses: ratio(right, beats),
    N: figures(0, []),
    S: figures(1, [4]),
    V: figures(2, [3, 4]),
  };
}

function ratio(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}
