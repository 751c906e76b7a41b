/** A model or a dataset that cannot be converted; the message says what is wrong and what would help. */
export class ConvertError extends Error {
  override readonly name = 'ConvertError';
}
