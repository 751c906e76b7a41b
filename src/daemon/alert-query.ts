import { HEALTH_KINDS, TECHNICAL_KINDS, TEST_KIND } from '../domain/alert.js';
import type { ShownAlert } from './alert-history.js';

/** Which alerts are asked for; what is left out does not matter. */
export interface AlertQuery {
  /** Open at this wall-clock time or later, ms. */
  readonly sinceMs?: number;
  /** Raised before. */
  readonly untilMs?: number;
  readonly sensor?: string;
  readonly kind?: string;
  readonly category?: string;
  /** Only those that have not ended. */
  readonly open?: boolean;
  readonly limit?: number;
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const MOST = 100_000;
const DEFAULT_LIMIT = 100;
const NAMES = ['since', 'until', 'sensor', 'kind', 'category', 'open', 'limit', 'format'];

/**
 * Reads a query as HTTP and the command line give it.
 * @param params `since` and `until` as ISO 8601 or as a time back from now (`90m`, `24h`, `7d`)
 * @throws Error whose message is for a person
 */
export function parseAlertQuery(params: Readonly<Record<string, string>>, nowMs: number): AlertQuery {
  for (const name of Object.keys(params)) {
    if (!NAMES.includes(name)) throw new Error(`there is no '${name}' to ask by; there are: ${NAMES.join(', ')}`);
  }
  const { since, until, sensor, kind, category, open, limit } = params;
  const kinds: readonly string[] = [...HEALTH_KINDS, ...TECHNICAL_KINDS, TEST_KIND];
  if (kind !== undefined && !kinds.includes(kind)) throw new Error(`no kind '${kind}'; there are: ${kinds.join(', ')}`);
  if (category !== undefined && category !== 'health' && category !== 'technical') {
    throw new Error(`category is health or technical, not '${category}'`);
  }
  const most = limit === undefined ? DEFAULT_LIMIT : Number(limit);
  if (!(Number.isInteger(most) && most >= 1 && most <= MOST)) throw new Error(`limit is 1 to ${MOST}, not '${limit}'`);
  return {
    ...(since === undefined ? {} : { sinceMs: timeOf('since', since, nowMs) }),
    ...(until === undefined ? {} : { untilMs: timeOf('until', until, nowMs) }),
    ...(sensor === undefined ? {} : { sensor }),
    ...(kind === undefined ? {} : { kind }),
    ...(category === undefined ? {} : { category }),
    open: open === 'true' || open === '1' || open === '',
    limit: most,
  };
}

export function matches(alert: ShownAlert, query: AlertQuery): boolean {
  const { sinceMs, untilMs, sensor, kind, category, open } = query;
  if (open && alert.endedAt !== null) return false;
  if (sensor !== undefined && alert.sensor !== sensor) return false;
  if (kind !== undefined && alert.kind !== kind) return false;
  if (category !== undefined && alert.category !== category) return false;
  if (sinceMs !== undefined && alert.endedAt !== null && Date.parse(alert.endedAt) < sinceMs) return false;
  return untilMs === undefined || Date.parse(alert.raisedAt) < untilMs;
}

function timeOf(name: string, text: string, nowMs: number): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? [];
  if (number && unit) return nowMs - Number(number) * UNITS_MS[unit]!;
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw new Error(`${name}: give a time such as 2026-01-31T08:00Z, or 90m, 24h, 7d back from now`);
  return at;
}

const COLUMNS = [
  'id',
  'kind',
  'category',
  'priority',
  'sensor',
  'event',
  'onsetAt',
  'raisedAt',
  'endedAt',
  'acknowledgedUntil',
] as const;

/** Alerts as RFC 4180 CSV with a header; values and model as JSON in a cell. */
export function alertsCsv(alerts: readonly ShownAlert[]): string {
  const rows = alerts.map((alert) => [
    ...COLUMNS.map((name) => alert[name] ?? ''),
    alert.model?.name ?? '',
    JSON.stringify(alert.values),
  ]);
  return [[...COLUMNS, 'model', 'values'], ...rows].map((cells) => `${cells.map(cell).join(',')}\r\n`).join('');
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
