import type { AlarmEngine } from '../alarm/engine.js';
import type { Peers } from '../alarm/peers.js';
import type { QualityState } from '../domain/quality.js';
import type { Carries } from '../domain/reading.js';

/** What of a sensor matters to the others on the same person. */
export interface PersonSensor {
  readonly name: string;
  readonly person: string | null;
  readonly carries: Carries;
  readonly alarms: Pick<AlarmEngine, 'tells' | 'witness'>;
  /** The state of its signal and the rate it shows now. */
  readonly now: () => { readonly quality: QualityState; readonly hrBpm: number | null };
}

/** The heart rate of a person and the sensor it is taken from. */
export interface PersonVitals {
  readonly name: string;
  readonly hrBpm: number | null;
  /** The sensor whose signal is the best of those the person wears; null while none is good. */
  readonly from: string | null;
}

/** Which sensors are worn by one person: theirs is one heart, so it has one rate and each of its alarms once. */
export class Persons {
  private readonly sensors: PersonSensor[] = [];
  /** By person: the sensor in use, kept while it is as good as any other. */
  private readonly chosen = new Map<string, string>();

  add(sensor: PersonSensor): void {
    this.sensors.push(sensor);
  }

  /** The other sensors on the same person, as they are when asked; undefined where this sensor is worn by nobody named. */
  peersOf(name: string, person: string | null): Peers | undefined {
    if (person === null) return undefined;
    const others = () => this.worn(person).filter((sensor) => sensor.name !== name);
    return {
      toldBy: (kinds) => others().find(({ alarms }) => kinds.some((kind) => alarms.tells(kind)))?.name ?? null,
      witnesses: () => others().flatMap(({ alarms }) => alarms.witness() ?? []),
    };
  }

  /** One rate of several sensors: the better one's; null for a sensor that is alone. */
  vitals(person: string | null): PersonVitals | null {
    if (person === null) return null;
    const worn = this.worn(person);
    if (worn.length < 2) return null;
    const standings = worn.map((sensor) => ({ sensor, now: sensor.now(), worth: worthOf(sensor) }));
    const good = standings.filter(({ now }) => now.quality === 'good' && now.hrBpm !== null);
    const best = Math.max(...good.map(({ worth }) => worth));
    const former = this.chosen.get(person);
    // Of equals the one in use stays: a rate that jumps between two sensors looks like a heart that does.
    const ranked = good.filter(({ worth }) => worth === best);
    const taken = ranked.find(({ sensor }) => sensor.name === former) ?? ranked[0];
    if (!taken) return { name: person, hrBpm: null, from: null };
    this.chosen.set(person, taken.sensor.name);
    return { name: person, hrBpm: taken.now.hrBpm, from: taken.sensor.name };
  }

  private worn(person: string): PersonSensor[] {
    return this.sensors.filter((sensor) => sensor.person === person);
  }
}

/** An ECG shows the beat itself, a strap its intervals, a pulse comes late and blurred, a bare rate is an average. */
function worthOf({ carries }: PersonSensor): number {
  if (carries.waveform?.kind === 'ecg') return 3;
  if (carries.rr) return 2;
  return carries.waveform || carries.beatFlags ? 1 : 0;
}
