import { createHash } from 'node:crypto';
import type { AlarmSettings } from '../../config/alarms.js';
import type { SensorSettings } from '../../config/sensors.js';
import type { InferencePort } from '../../domain/inference.js';
import type { FlightModel } from './header.js';

/** What of a sensor's build is known from its settings. */
export function flightBuild({
  settings,
  alarms,
  hasPeers,
}: {
  readonly settings: SensorSettings;
  readonly alarms: AlarmSettings;
  readonly hasPeers: boolean;
}) {
  const { format, options, link, name } = settings;
  const alarmsSha256 = createHash('sha256').update(JSON.stringify(alarms)).digest('hex');
  return {
    capture: { format, options, link: link.type },
    flight: { sensor: name, alarms, alarmsSha256, hasPeers },
  };
}

/** A model in its slot, as `Models` has them. */
interface SlotModel {
  readonly name: string;
  readonly preprocessing: Readonly<Record<string, unknown>>;
  readonly logitOffsets: readonly number[];
}

/** The models that run, by slot. */
export function flightModels(models: { readonly port: InferencePort }): Record<string, FlightModel> {
  const out: Record<string, FlightModel> = {};
  for (const [slot, model] of Object.entries(models as unknown as Record<string, unknown>)) {
    if (!isSlotModel(model)) continue;
    const { name, preprocessing, logitOffsets } = model;
    const info = models.port.info(name);
    out[slot] = { name, info: info && { ...info }, preprocessing, logitOffsets: [...logitOffsets] };
  }
  return out;
}

function isSlotModel(value: unknown): value is SlotModel {
  return typeof value === 'object' && value !== null && 'preprocessing' in value && 'logitOffsets' in value;
}
