import type { AlertKind } from '../domain/alert.js';

/**
 * The kinds that explain a kind: while one of them stands, the lower one is not raised, and ends if it is open. One
 * event in the body is one alert, the gravest word for it (as Nightscout tells only the highest alarm of a group).
 */
const EXPLAINED_BY: Partial<Record<AlertKind, readonly AlertKind[]>> = {
  asystole: ['ventricular-fibrillation'],
  'ventricular-tachycardia': ['ventricular-fibrillation'],
  'extreme-tachycardia': ['ventricular-fibrillation', 'ventricular-tachycardia'],
  'extreme-bradycardia': ['ventricular-fibrillation', 'asystole'],
  tachycardia: ['ventricular-fibrillation', 'ventricular-tachycardia', 'extreme-tachycardia'],
  bradycardia: ['ventricular-fibrillation', 'asystole', 'extreme-bradycardia'],
  pause: ['ventricular-fibrillation', 'asystole'],
  'atrial-fibrillation': ['ventricular-fibrillation'],
  'frequent-ectopy': ['ventricular-fibrillation', 'ventricular-tachycardia', 'atrial-fibrillation'],
  anomaly: [
    'ventricular-fibrillation',
    'ventricular-tachycardia',
    'asystole',
    'extreme-tachycardia',
    'extreme-bradycardia',
    'tachycardia',
    'bradycardia',
    'pause',
    'atrial-fibrillation',
    'frequent-ectopy',
  ],
  'contact-off': ['no-data'],
  'poor-signal': ['no-data', 'contact-off'],
};

export function explainedBy(kind: AlertKind): readonly AlertKind[] {
  return EXPLAINED_BY[kind] ?? [];
}
