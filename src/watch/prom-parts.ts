import { createRequire } from 'node:module';
import type * as Prom from 'prom-client';

const require = createRequire(import.meta.url);

/**
 * The parts of prom-client in use. Its entry also reads clusters, a push gateway, OpenTelemetry and metrics of the process:
 * thirty files at each start that nobody calls.
 */
export const Counter = require('prom-client/lib/counter') as typeof Prom.Counter;
export const Gauge = require('prom-client/lib/gauge') as typeof Prom.Gauge;
export const Registry = require('prom-client/lib/registry') as typeof Prom.Registry;
