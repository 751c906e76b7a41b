import { type ActiveAlert, alarmsJson, type WallTime } from './payloads.js';
import type { RetainedState } from './retained.js';
import type { Topics } from './topics.js';

export interface AlarmListsOptions {
  /** Those that have a list; of any other sensor the broker is told to keep none. */
  readonly sensors: readonly string[];
  readonly topics: Topics;
  readonly retained: RetainedState;
  readonly wallTime: () => WallTime;
}

/**
 * The retained list of each sensor's open alerts. It must never be ahead of the events it rests on: after a kill it is
 * what tells of alerts that were sent and are not on the disk (see read-back.ts). So a list is made when something
 * happens and told when that is kept.
 */
export class AlarmLists {
  private made = 0;
  /** By sensor: the number of the newest list that was told. */
  private readonly told = new Map<string, number>();

  constructor(private readonly options: AlarmListsOptions) {}

  /** The list as it is now. @returns tells it; does nothing where a newer one was told since */
  make(sensor: string, list: readonly ActiveAlert[]): () => void {
    const { sensors, wallTime, retained } = this.options;
    const number = ++this.made;
    const payload = sensors.includes(sensor) ? alarmsJson(list, wallTime().toWallMs) : '';
    return () => {
      if (number < (this.told.get(sensor) ?? 0)) return;
      this.told.set(sensor, number);
      retained.set(this.topicOf(sensor), payload);
    };
  }

  /** The broker keeps what it has until the next list is told. */
  pause(sensor: string): void {
    this.options.retained.forget(this.topicOf(sensor));
  }

  private topicOf(sensor: string): string {
    return this.options.topics.sensor(sensor, 'alarms');
  }
}
