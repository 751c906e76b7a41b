/** A recording or a model that cannot be personalized, or a result that is no better: the message has the figures. */
export class PersonalizeError extends Error {
  override readonly name = 'PersonalizeError';
}
