import type { HomeAssistantSettings } from '../config/home-assistant.js';
import type { KeyValueStore, StoreWrite } from '../domain/store.js';
import { discoveryPayload, discoveryTopic, EXTRAS, type Extra } from './home-assistant.js';
import type { DeliveryLog } from './log.js';
import type { Vitals } from './payloads.js';
import type { RetainedState } from './retained.js';
import { type Topics, topicLevel } from './topics.js';

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
  /** Sensors of earlier runs that the broker may still have something of. */
  private gone = new Set<string>();

  constructor(private readonly options: AnnouncementsOptions) {}

  /** The sensors announced so far. */
  get known(): string[] {
    return [...this.announced];
  }

  /** Says of each configured sensor that it is not there yet, and removes what earlier runs announced and is gone. */
  async begin(): Promise<void> {
    const { store, sensors, log, topics, retained } = this.options;
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
    this.gone = new Set(former.filter((sensor) => !sensors.includes(sensor)));
    this.remember();
    for (const sensor of this.gone) this.remove(sensor);
  }

  /** The name of a sensor of an earlier run by its level in a topic; the level itself where none is remembered. */
  formerAt(level: string): string {
    return [...this.gone].find((sensor) => topicLevel(sensor) === level) ?? level;
  }

  /** A sensor of an earlier run is taken away from the broker and from Home Assistant. */
  remove(sensor: string): void {
    const { homeAssistant, node, topics, retained } = this.options;
    if (!this.gone.has(sensor)) {
      this.gone.add(sensor);
      this.remember();
    }
    retained.set(topics.sensor(sensor, 'alarms'), '');
    retained.set(topics.sensor(sensor, 'availability'), '');
    retained.set(discoveryTopic(homeAssistant, node, sensor), '', () => {
      this.gone.delete(sensor);
      this.remember();
    });
  }

  private remember(): void {
    const { sensors, persist } = this.options;
    persist([{ key: SENSORS_KEY, value: JSON.stringify([...sensors, ...this.gone]) }]);
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
