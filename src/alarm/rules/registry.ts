import type { AlarmSettings } from '../../config/alarms.js';
import type { AlertKind, AlertPriority } from '../../domain/alert.js';
import type { Rule } from '../rule.js';
import { Anomaly } from './anomaly.js';
import { Asystole } from './asystole.js';
import { AtrialFibrillation } from './atrial-fibrillation.js';
import { bradycardia } from './bradycardia.js';
import { ClockUnsynced } from './clock-unsynced.js';
import { ContactOff } from './contact-off.js';
import { extremeBradycardia } from './extreme-bradycardia.js';
import { extremeTachycardia } from './extreme-tachycardia.js';
import { FrequentEctopy } from './frequent-ectopy.js';
import { InferenceDown } from './inference-down.js';
import { InferenceSlow } from './inference-slow.js';
import { NoData } from './no-data.js';
import { OutboxFull } from './outbox-full.js';
import { Pause } from './pause.js';
import { PoorSignal } from './poor-signal.js';
import { tachycardia } from './tachycardia.js';
import { VentricularFibrillation } from './ventricular-fibrillation.js';
import { VentricularTachycardia } from './ventricular-tachycardia.js';

/** Kinds that have a rule here; each has a section of its name in the settings. */
export type RuleKind = Exclude<
  keyof AlarmSettings,
  'signal' | 'evidence' | 'updates' | 'reminders' | 'storm' | 'snooze'
> &
  AlertKind;

interface Entry {
  readonly kind: RuleKind;
  /** Makes no sense for a sensor that sends no beats. */
  readonly needsBeats?: true;
  create(settings: AlarmSettings): Rule;
}

/**
 * All rules. The order is that of
 * evaluation: what explains other kinds (see subsumption.ts) stands before them.
 */
const RULES: readonly Entry[] = [
  { kind: 'no-data', create: (s) => new NoData(s['no-data']) },
  { kind: 'contact-off', create: (s) => new ContactOff(s['contact-off']) },
  { kind: 'poor-signal', create: (s) => new PoorSignal(s['poor-signal']) },
  { kind: 'inference-down', create: (s) => new InferenceDown(s['inference-down']) },
  { kind: 'inference-slow', create: (s) => new InferenceSlow(s['inference-slow']) },
  { kind: 'outbox-full', create: (s) => new OutboxFull(s['outbox-full']) },
  { kind: 'clock-unsynced', create: (s) => new ClockUnsynced(s['clock-unsynced']) },
  {
    kind: 'ventricular-fibrillation',
    needsBeats: true,
    create: (s) => new VentricularFibrillation(s['ventricular-fibrillation']),
  },
  { kind: 'asystole', needsBeats: true, create: (s) => new Asystole(s.asystole) },
  {
    kind: 'ventricular-tachycardia',
    needsBeats: true,
    create: (s) => new VentricularTachycardia(s['ventricular-tachycardia'], s['ventricular-fibrillation']),
  },
  { kind: 'extreme-tachycardia', needsBeats: true, create: extremeTachycardia },
  { kind: 'extreme-bradycardia', needsBeats: true, create: extremeBradycardia },
  { kind: 'tachycardia', create: tachycardia },
  { kind: 'bradycardia', create: bradycardia },
  { kind: 'pause', needsBeats: true, create: (s) => new Pause(s.pause) },
  { kind: 'atrial-fibrillation', needsBeats: true, create: (s) => new AtrialFibrillation(s['atrial-fibrillation']) },
  { kind: 'frequent-ectopy', needsBeats: true, create: (s) => new FrequentEctopy(s['frequent-ectopy']) },
  { kind: 'anomaly', create: (s) => new Anomaly(s.anomaly) },
];

/** The rules that are enabled and make sense for this sensor, in the order of evaluation. */
export function createRules(settings: AlarmSettings, carriesBeats: boolean): { rule: Rule; priority: AlertPriority }[] {
  return RULES.filter((entry) => settings[entry.kind].enabled && (carriesBeats || !entry.needsBeats)).map((entry) => ({
    rule: entry.create(settings),
    priority: settings[entry.kind].priority,
  }));
}
