/** Something that was given to the lab and cannot be used: a folder, a layer's name, recordings without a class. The message says what. */
export class LabError extends Error {
  override name = 'LabError';
}
