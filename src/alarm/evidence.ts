import type { AlarmSettings } from '../config/alarms.js';
import type { Evidence, SensorWord } from '../domain/alert.js';
import type { StreamMs } from '../domain/clock.js';
import type { Peers } from './peers.js';
import { round1 } from './rule.js';
import type { AlarmView } from './view.js';

export interface EvidenceOptions {
  readonly sensor: string;
  readonly settings: AlarmSettings;
  readonly view: AlarmView;
  capture(fromMs: StreamMs, toMs: StreamMs): Evidence['signal'] | undefined;
  readonly peers?: Peers | undefined;
}

/** The rate a sensor names for itself among those of its person. */
const OWN_RATE_INTERVALS = 6;
const OWN_RATE_FRESH_MS = 3_000;
/** How long before the onset the waveform of an alert begins. */
const LEAD_IN_MS = 2_000;

/** What goes with a new alert, for others to judge by: intervals, waveform, what other sensors of the person show. */
export function gatherEvidence(options: EvidenceOptions, onsetMs: StreamMs): Evidence {
  const { view, settings, peers } = options;
  const { rrCount, signalMs } = settings.evidence;
  const fromMs = Math.max(onsetMs - LEAD_IN_MS, view.nowMs - signalMs);
  const signal = signalMs > 0 ? options.capture(fromMs, view.nowMs) : undefined;
  const rrMs = view.beats.lastRrMs(rrCount);
  const sensors = peers ? words(options, peers) : [];
  return {
    ...(rrMs.length > 0 ? { rrMs } : {}),
    ...(signal ? { signal } : {}),
    ...(sensors.length > 1 ? { sensors } : {}),
  };
}

/** What the sensors of this person show, this one first. */
function words({ sensor, view }: EvidenceOptions, peers: Peers): SensorWord[] {
  const own = {
    sensor,
    source: view.lastSource ?? 'rr',
    rateBpm: view.rateBpm(OWN_RATE_INTERVALS, OWN_RATE_FRESH_MS),
  };
  return [own, ...peers.witnesses()].map(({ sensor: name, source, rateBpm }) => ({
    sensor: name,
    source,
    rateBpm: Number.isNaN(rateBpm) ? null : round1(rateBpm),
  }));
}
