import type { HomeAssistantSettings } from '../config/home-assistant.js';
import type { KeyValueStore, StoreWrite } from '../domain/store.js';
import { discoveryPayload, discoveryTopic, EXTRAS, type Extra } from './home-assistant.js';
import type { DeliveryLog } from './log.js';
import type { Vitals } from './payloads.js';
import type { RetainedState } from './retained.js';
import type { Topics } from './topics.js';

export interface AnnouncementsOptions {
  readonly homeAssistant: HomeAssistantSettings;
  readonly node: string;
  readonly version: string;
  /** The configured sensors. */
  readonly sensors: readonly string[];
  readonly topics: Topics;
  readonly retained: RetainedState;
  readonly store: KeyValueStore;
  readonly persist: (writes: readonly StoreWrite[]) => void;
  readonly log: DeliveryLog;
}

/** Where the list of announced sensors is kept. */
const SENSORS_KEY = 'delivery/sensors';

/** Which sensors the world is told of: a device in Home Assistant for each, taken away again when the sensor is. */
export class Announcements {
  private readonly announced = new Set<string>();
  /** What each sensor has told of itself beyond its heart, for Home Assistant. */
  private readonly extras = new Map<string, Set<Extra>>();

  constructor(private readonly options: AnnouncementsOptions) {}

  /** The sensors announced so far. */
  get known(): string[] {
    return [...this.announced];
  }

  /** Says of each configured sensor that it is not there yet, and removes what earlier runs announced and is gone. */
  async begin(): Promise<void> {
    const { store, sensors, homeAssistant, node, log, topics, retained, persist } = this.options;
    for (const sensor of sensors) {
      if (this.announced.has(sensor)) continue;
      this.announce(sensor);
      retained.set(topics.sensor(sensor, 'availability'), 'offline');
    }
    let former: string[] = [];
    try {
      for await (const [key, value] of store.scan(SENSORS_KEY)) {
        if (key === SENSORS_KEY) former = (JSON.parse(value) as unknown[]).filter((name) => typeof name === 'string');
      }
    } catch (error) {
      log.warn({ err: error }, 'the list of announced sensors cannot be read');
    }
    const gone = new Set(former.filter((sensor) => !sensors.includes(sensor)));
    const remember = () => persist([{ key: SENSORS_KEY, value: JSON.stringify([...sensors, ...gone]) }]);
    remember();
    for (const sensor of gone) {
      retained.set(topics.sensor(sensor, 'alarms'), '');
      retained.set(topics.sensor(sensor, 'availability'), '');
      retained.set(discoveryTopic(homeAssistant, node, sensor), '', () => {
        gone.delete(sensor);
        remember();
      });
    }
  }

  /** A sensor is spoken of; the first time it is announced. */
  know(sensor: string): void {
    if (!this.announced.has(sensor)) this.announce(sensor);
  }

  /**
   * A sensor that tells of a battery or of oxygen for the first time gets an entity for it.
   * @returns whether there is something new to say
   */
  learn(sensor: string, vitals: Vitals): boolean {
    const known = this.extras.get(sensor) ?? new Set();
    const news = EXTRAS.filter((extra) => vitals[extra] != null && !known.has(extra));
    if (news.length === 0) return false;
    this.extras.set(sensor, new Set([...known, ...news]));
    this.announce(sensor);
    return true;
  }

  private announce(sensor: string): void {
    this.announced.add(sensor);
    const { homeAssistant, node, version, topics, retained } = this.options;
    if (!homeAssistant.enabled) return;
    retained.set(
      discoveryTopic(homeAssistant, node, sensor),
      discoveryPayload(node, sensor, version, topics, this.extras.get(sensor)),
    );
  }
}
