// What each kind of alert means, in words for the person beside the sensor. docs/alarms.md says when each is raised.
const KINDS = {
  asystole: 'No heart beat for seconds, though the signal is good. If the person does not respond, call for help now.',
  'ventricular-fibrillation':
    'The heart quivers instead of beating. If the person does not respond, call for help now; a defibrillator is needed.',
  'ventricular-tachycardia': 'A run of fast beats from the lower chambers of the heart.',
  'extreme-tachycardia': 'The heart beats extremely fast.',
  'extreme-bradycardia': 'The heart beats extremely slowly.',
  tachycardia: 'The heart has been beating faster than the limit set for this person.',
  bradycardia: 'The heart has been beating slower than the limit set for this person.',
  'atrial-fibrillation': 'Irregular beats without any pattern, as when the upper chambers of the heart fibrillate.',
  pause: 'A long gap between two beats.',
  'frequent-ectopy': 'Many extra beats from the lower chambers of the heart.',
  anomaly: 'The rhythm departs from what is usual for this person.',
  'no-data': 'Nothing arrives from the sensor: look at its cable, battery and power. Nobody is being watched by it.',
  'contact-off': 'The sensor does not touch the body: electrodes or clip are off.',
  'poor-signal': 'The signal is too noisy to judge: movement, dry electrodes or mains hum. Alarms may be missed.',
  'inference-down': 'The model does not run. Alarms that need no model go on.',
  'inference-slow': 'The model answers too slowly for its budget; alarms that need it may come late.',
  'outbox-full': 'No room for alerts that wait: the broker has been away for too long, or the disk cannot be written.',
  'clock-unsynced': "The device's clock is not set: the times shown may be wrong.",
  test: 'Somebody asked for it, to see that alerts arrive. It is no alarm.',
};

export const explanation = (kind) => KINDS[kind] ?? '';
