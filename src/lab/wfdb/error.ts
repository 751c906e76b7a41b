/** A WFDB file that cannot be used: which file, and what is wrong with it. */
export class WfdbError extends Error {
  override readonly name = 'WfdbError';
  readonly file: string;
  readonly problem: string;

  constructor(file: string, problem: string) {
    super(`${file}: ${problem}`);
    this.file = file;
    this.problem = problem;
  }
}
