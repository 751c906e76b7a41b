import type { HomeAssistantSettings } from '../config/home-assistant.js';
import type { MqttSettings } from '../config/mqtt.js';
import type { WebhookSettings } from '../config/webhook.js';
import type { ListedAlert } from '../domain/alert.js';
import type { Clock, StreamMs, Timers } from '../domain/clock.js';
import type { StageRecorder } from '../domain/stage.js';
import type { KeyValueStore } from '../domain/store.js';
import type { CommandStats } from './commands.js';
import type { DeliveryLog } from './log.js';
import type { ConnectMqtt } from './mqtt-link.js';
import type { OutboxStats } from './outbox.js';
import type { ActiveAlert } from './payloads.js';
import type { WebhookStats } from './webhook.js';

/** What delivery is given, and what it tells of itself. */

export interface DeliverySettings {
  readonly mqtt: MqttSettings;
  readonly homeAssistant: HomeAssistantSettings;
  /** A second way out; left out (or without a URL): none. */
  readonly webhook?: WebhookSettings;
}

export interface DeliveryOptions {
  readonly settings: DeliverySettings;
  /** This device's name. */
  readonly node: string;
  /** slothd's version, for Home Assistant. */
  readonly version: string;
  /** The configured sensors: announced at the start, and those of earlier runs that are gone are removed. */
  readonly sensors: readonly string[];
  readonly clock: Clock;
  readonly timers: Timers;
  /** Stays open: it is the caller's to close, after `stop`. */
  readonly store: KeyValueStore;
  readonly log: DeliveryLog;
  /** Told `wire_to_alert` (with sensor and alert id) and `publish_ack`. */
  readonly stages?: StageRecorder;
  /** Stream time to wall clock; where left out, stream time is the monotonic clock's. */
  readonly toWallMs?: (tMs: StreamMs) => number;
  /** mqtt.js' `connect`, or a test's. */
  readonly connect?: ConnectMqtt;
  readonly random?: () => number;
  /** For the webhook; Node's own where left out. */
  readonly fetch?: typeof fetch;
  /** The outbox had to give up alerts (`full`), or has room again: for the alert `outbox-full`. */
  readonly onOutboxFull?: (state: { full: boolean; shedAlerts: number }) => void;
  /** The connection to the broker came or went. */
  readonly onLink?: (up: boolean, reason: string) => void;
  /**
   * What an earlier run told of and had open, by sensor, where the broker has a list of it (else the sensor is missing):
   * once, on the first connection and before anything is said there. Left out: the broker is not asked.
   */
  readonly onListed?: (lists: ReadonlyMap<string, readonly ListedAlert[]>) => void;
  /** The same for each sensor that is not configured any more and of which the broker has a list; at any time. */
  readonly onFormer?: (sensor: string, list: readonly ListedAlert[]) => void;
}

/** What belongs to an alert event beside its own words. */
export interface AlertMeta {
  /** Monotonic arrival of the bytes that caused it, null where none did. */
  readonly arrivedAtMs: number | null;
  /** The sensor's open alerts after this event; they are told with it. Left out: they stay as they are. */
  readonly active?: readonly ActiveAlert[];
  /** Of an alert that was told of before all that waits: goes before it. */
  readonly first?: boolean;
}

export interface DeliveryStats {
  readonly enabled: boolean;
  /** The broker in use, or tried next. */
  readonly url: string;
  readonly connected: boolean;
  readonly protocol: '5' | '3.1.1';
  /** Why there is no connection, in words for a person; empty while there is one. */
  readonly lastError: string;
  readonly connections: number;
  readonly attempts: number;
  readonly outbox: OutboxStats;
  readonly vitalsSent: number;
  readonly vitalsDropped: number;
  readonly commands: CommandStats;
  /** null: none is configured. */
  readonly webhook: WebhookStats | null;
}
