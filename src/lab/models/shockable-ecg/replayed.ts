import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { loadShockableRecord, NOISE, OTHER } from '../../data/shockable-records.js';
import { LabError } from '../../error.js';
import { type RaisedAlert, type ShockableAlarmFigures, shockableAlarmFigures } from './alarm-level.js';

/** A line of `slothd replay`, as far as it is of use here. */
interface ReplayLine {
  readonly type: string;
  readonly t: number;
  readonly onsetT: number;
  readonly record: string;
  readonly kind: string;
  readonly event: string;
  readonly id: string;
}

const KINDS: Readonly<Record<string, 'vf' | 'vt'>> = {
  'ventricular-fibrillation': 'vf',
  'ventricular-tachycardia': 'vt',
};

/** Records of these have no rhythm annotations; all of each is one thing. */
const WHOLE: Readonly<Record<string, typeof OTHER | typeof NOISE>> = { svdb: OTHER, nstdb: NOISE, cinc2017: NOISE };

/**
 * Figures of what `slothd replay` wrote of the records of one database: the whole deployed path, with its quality gate
 * and the alerts that rest on beats, too.
 * @param folder of the database, where records and reference are
 * @throws LabError where the file holds no replay, WfdbError where a record is missing
 */
export async function replayedFigures(
  eventsFile: string,
  folder: string,
  cacheFolder: string | null,
): Promise<ShockableAlarmFigures> {
  const database = folder.split('/').at(-1)!;
  const played = new Map<string, RaisedAlert[]>();
  const open = new Map<string, RaisedAlert & { endS: number }>();
  let alerts: RaisedAlert[] | null = null;
  for await (const text of createInterface({ input: createReadStream(eventsFile) })) {
    if (!text.startsWith('{"type":"start"') && !text.startsWith('{"type":"alert"')) continue;
    const line = JSON.parse(text) as ReplayLine;
    if (line.type === 'start') {
      alerts = [];
      played.set(line.record, alerts);
      continue;
    }
    if (!alerts) throw new LabError(`${eventsFile} does not begin as a replay does`);
    const kind = KINDS[line.kind];
    if (!kind) continue;
    if (line.event === 'new') {
      const alert = { kind, raisedS: line.t, onsetS: line.onsetT, endS: Number.POSITIVE_INFINITY };
      open.set(line.id, alert);
      alerts.push(alert);
    } else if (line.event === 'end') {
      const alert = open.get(line.id);
      if (alert) alert.endS = line.t;
    }
  }
  if (played.size === 0) throw new LabError(`${eventsFile} holds no events of a replay`);
  const records = [];
  for (const name of played.keys()) {
    records.push(await loadShockableRecord(join(folder), name, WHOLE[database] ?? null, cacheFolder));
  }
  return shockableAlarmFigures(records, null, ({ record }) => played.get(record)!);
}
