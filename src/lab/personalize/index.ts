export { PersonalizeError } from './error.js';
export { type OwnRecording, type PersonalizeOptions, type PersonalizeResult, personalize } from './personalize.js';
