import type { HomeAssistantSettings } from '../config/home-assistant.js';
import { HEALTH_KINDS, TECHNICAL_KINDS } from '../domain/alert.js';
import { type Topics, topicLevel } from './topics.js';

/**
 * Home Assistant device discovery: one retained message per sensor at `<prefix>/device/<id>/config` that lists all its
 * entities, as https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload describes (Home Assistant
 * 2024.11 and later). Full field names are used, not the abbreviations, so that a person can read it.
 */

/** Vitals come once a second; an entity that hears nothing for this long is unavailable rather than stale. */
const EXPIRE_AFTER_S = 30;

/** Snooze of the button; the command `snooze` takes any time. */
const SNOOZE_MINUTES = 30;
/** Health comes every 30 s. */
const HEALTH_EXPIRE_AFTER_S = 120;

/** Fields of the vitals that only some sensors have; their entities appear when they are first told. */
export const EXTRAS = ['batteryPercent', 'spo2Percent'] as const;
export type Extra = (typeof EXTRAS)[number];

/** Device id: also the discovery topic's level and the start of every `unique_id`. */
export function deviceId(node: string, sensor: string): string {
  return `slothd_${topicLevel(node)}_${topicLevel(sensor)}`;
}

export function discoveryTopic(settings: HomeAssistantSettings, node: string, sensor: string): string {
  return `${settings.discoveryPrefix}/device/${deviceId(node, sensor)}/config`;
}

/** Home Assistant's own birth and last will. */
export function statusTopic(settings: HomeAssistantSettings): string {
  return `${settings.discoveryPrefix}/status`;
}

/** The discovery message of one sensor. */
export function discoveryPayload(
  node: string,
  sensor: string,
  version: string,
  topics: Topics,
  extras: ReadonlySet<Extra> = new Set(),
): string {
  const id = deviceId(node, sensor);
  const vitals = topics.sensor(sensor, 'vitals');
  const alarms = topics.sensor(sensor, 'alarms');
  const sensorAvailability = topics.sensor(sensor, 'availability');

  const components: Record<string, object> = {
    heart_rate: {
      platform: 'sensor',
      unique_id: `${id}_heart_rate`,
      name: 'Heart rate',
      icon: 'mdi:heart-pulse',
      state_topic: vitals,
      value_template: '{{ value_json.hrBpm }}',
      unit_of_measurement: 'bpm',
      state_class: 'measurement',
      suggested_display_precision: 0,
      expire_after: EXPIRE_AFTER_S,
    },
    rhythm: {
      platform: 'sensor',
      unique_id: `${id}_rhythm`,
      name: 'Rhythm',
      icon: 'mdi:heart-settings',
      state_topic: vitals,
      value_template: '{{ value_json.rhythm }}',
      device_class: 'enum',
      options: ['regular', 'afib', 'unknown'],
      expire_after: EXPIRE_AFTER_S,
    },
    quality: {
      platform: 'sensor',
      unique_id: `${id}_quality`,
      name: 'Signal quality',
      icon: 'mdi:signal',
      state_topic: vitals,
      value_template: '{{ value_json.quality }}',
      device_class: 'enum',
      options: ['good', 'poor', 'contact-off', 'none'],
      entity_category: 'diagnostic',
      expire_after: EXPIRE_AFTER_S,
    },
    connected: {
      platform: 'binary_sensor',
      unique_id: `${id}_connected`,
      name: 'Sensor',
      device_class: 'connectivity',
      entity_category: 'diagnostic',
      state_topic: sensorAvailability,
      payload_on: 'online',
      payload_off: 'offline',
      // Says itself whether the sensor is there, so only the daemon's word counts for it.
      availability: [{ topic: topics.availability }],
    },
  };
  if (extras.has('batteryPercent')) {
    components.battery = {
      platform: 'sensor',
      unique_id: `${id}_battery`,
      name: 'Battery',
      device_class: 'battery',
      state_class: 'measurement',
      unit_of_measurement: '%',
      entity_category: 'diagnostic',
      state_topic: vitals,
      value_template: '{{ value_json.batteryPercent | default(None) }}',
    };
  }
  if (extras.has('spo2Percent')) {
    components.spo2 = {
      platform: 'sensor',
      unique_id: `${id}_spo2`,
      name: 'Oxygen saturation',
      icon: 'mdi:water-percent',
      state_class: 'measurement',
      unit_of_measurement: '%',
      state_topic: vitals,
      value_template: '{{ value_json.spo2Percent | default(None) }}',
      expire_after: EXPIRE_AFTER_S,
    };
  }
  const daemonOnly = { availability: [{ topic: topics.availability }] };
  components.inference_latency = {
    platform: 'sensor',
    unique_id: `${id}_inference_latency`,
    name: 'Inference latency p99',
    device_class: 'duration',
    state_class: 'measurement',
    unit_of_measurement: 'ms',
    suggested_display_precision: 1,
    entity_category: 'diagnostic',
    state_topic: topics.health,
    value_template: '{{ (value_json.latency.inference | default({})).p99Ms | default(None) }}',
    expire_after: HEALTH_EXPIRE_AFTER_S,
    ...daemonOnly,
  };
  components.alert = {
    platform: 'event',
    unique_id: `${id}_alert`,
    name: 'Alert',
    icon: 'mdi:heart-flash',
    state_topic: topics.sensor(sensor, 'alert'),
    event_types: ['new', 'update', 'end'],
    // Without the evidence: an attribute holds what a person reads, not seconds of waveform.
    value_template: `{{ {${[
      'id',
      'sequence',
      'kind',
      'priority',
      'category',
      'onsetAt',
      'raisedAt',
      'endedAt',
      'replayed',
      'values',
    ]
      .map((field) => `'${field}': value_json['${field}']`)
      .concat("'event_type': value_json['event']")
      .join(', ')}} | to_json }}`,
    ...daemonOnly,
  };
  const buttons = [
    ['ack', 'Acknowledge alerts', 'mdi:check', { sensor }],
    ['snooze', `Snooze alerts for ${SNOOZE_MINUTES} minutes`, 'mdi:bell-sleep', { sensor, minutes: SNOOZE_MINUTES }],
    ['test', 'Send a test alert', 'mdi:bell-ring', { sensor }],
  ] as const;
  for (const [verb, name, icon, args] of buttons) {
    components[verb] = {
      platform: 'button',
      unique_id: `${id}_${verb}`,
      name,
      icon,
      entity_category: verb === 'test' ? 'diagnostic' : 'config',
      command_topic: topics.command(verb),
      payload_press: JSON.stringify(args),
      ...daemonOnly,
    };
  }
  for (const kind of [...HEALTH_KINDS, ...TECHNICAL_KINDS]) {
    const name = kind.replaceAll('-', ' ');
    const technical = (TECHNICAL_KINDS as readonly string[]).includes(kind);
    components[`alert_${kind.replaceAll('-', '_')}`] = {
      platform: 'binary_sensor',
      unique_id: `${id}_alert_${kind.replaceAll('-', '_')}`,
      name: name.charAt(0).toUpperCase() + name.slice(1),
      device_class: 'problem',
      ...(technical ? { entity_category: 'diagnostic' } : {}),
      state_topic: alarms,
      value_template: `{{ 'ON' if value_json | selectattr('kind', 'eq', '${kind}') | list | count > 0 else 'OFF' }}`,
      payload_on: 'ON',
      payload_off: 'OFF',
      // "No data" must stay visible exactly when the sensor is offline.
      availability: [{ topic: topics.availability }],
    };
  }

  return JSON.stringify({
    device: {
      identifiers: [id],
      name: `${node} ${sensor}`,
      manufacturer: 'slothd',
      model: 'Heart sensor',
      sw_version: version,
    },
    origin: { name: 'slothd', sw_version: version },
    availability: [{ topic: topics.availability }, { topic: sensorAvailability }],
    availability_mode: 'all',
    components,
    qos: 1,
  });
}
