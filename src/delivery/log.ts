import type { Logger } from 'pino';

/** The log methods this station uses; pino's logger is one. */
export type DeliveryLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
