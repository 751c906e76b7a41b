import { describe, expect, test } from 'vitest';
import { homeAssistantSchema } from '../../src/config/home-assistant.js';
import { deviceId, discoveryPayload, discoveryTopic, EXTRAS, statusTopic } from '../../src/delivery/home-assistant.js';
import { Topics } from '../../src/delivery/topics.js';
import { HEALTH_KINDS, TECHNICAL_KINDS } from '../../src/domain/alert.js';

/**
 * Field names as documented at https://www.home-assistant.io/integrations/mqtt/ (device discovery payload),
 * /integrations/sensor.mqtt/, binary_sensor.mqtt, event.mqtt and button.mqtt. Home Assistant refuses a whole message for one
 * field it does not know, so nothing else may appear.
 */
const SHARED = [
  'availability',
  'availability_mode',
  'components',
  'device',
  'encoding',
  'origin',
  'qos',
  'state_topic',
];
const DEVICE = [
  'configuration_url',
  'connections',
  'hw_version',
  'identifiers',
  'manufacturer',
  'model',
  'model_id',
  'name',
  'serial_number',
  'suggested_area',
  'sw_version',
  'via_device',
];
const ORIGIN = ['name', 'support_url', 'sw_version'];
const ENTITY = [
  'availability',
  'availability_mode',
  'availability_topic',
  'device_class',
  'enabled_by_default',
  'encoding',
  'entity_category',
  'entity_picture',
  'expire_after',
  'force_update',
  'icon',
  'json_attributes_template',
  'json_attributes_topic',
  'name',
  'payload_available',
  'payload_not_available',
  'platform',
  'qos',
  'state_topic',
  'unique_id',
  'value_template',
];
const PLATFORM: Record<string, string[]> = {
  sensor: [
    ...ENTITY,
    'last_reset_value_template',
    'options',
    'state_class',
    'suggested_display_precision',
    'unit_of_measurement',
  ],
  binary_sensor: [...ENTITY, 'off_delay', 'payload_off', 'payload_on'],
  event: [...ENTITY.filter((field) => !['expire_after', 'force_update'].includes(field)), 'event_types'],
  button: [
    ...ENTITY.filter((field) => !['expire_after', 'force_update', 'state_topic', 'value_template'].includes(field)),
    'command_template',
    'command_topic',
    'payload_press',
    'retain',
  ],
};
/** What each platform cannot do without. */
const REQUIRED: Record<string, string[]> = {
  sensor: ['state_topic'],
  binary_sensor: ['state_topic'],
  event: ['state_topic', 'event_types'],
  button: ['command_topic'],
};
const AVAILABILITY = ['payload_available', 'payload_not_available', 'topic', 'value_template'];

type Fields = Record<string, unknown>;
const topics = new Topics('slothd', 'pi');
const payload = JSON.parse(discoveryPayload('pi', 'chest', '1.2.3', topics, new Set(EXTRAS))) as Fields & {
  components: Record<string, Fields>;
  device: Fields;
  origin: Fields;
};

describe('the discovery message', () => {
  test('has only documented fields, and all the required ones', () => {
    for (const field of Object.keys(payload)) expect(SHARED).toContain(field);
    for (const field of Object.keys(payload.device)) expect(DEVICE).toContain(field);
    for (const field of Object.keys(payload.origin)) expect(ORIGIN).toContain(field);
    expect(payload.device.identifiers).toEqual(['slothd_pi_chest']);
    expect(payload.origin.name).toBe('slothd');
    const ids = new Set<unknown>();
    for (const [id, component] of Object.entries(payload.components)) {
      const allowed = PLATFORM[String(component.platform)];
      expect(allowed, id).toBeDefined();
      for (const field of Object.keys(component)) expect(allowed, `${id}.${field}`).toContain(field);
      for (const field of REQUIRED[String(component.platform)] ?? []) expect(component, id).toHaveProperty(field);
      expect(component.unique_id, id).toMatch(/^slothd_pi_chest_[a-z0-9_]+$/);
      expect(component.state_topic ?? component.command_topic, id).toMatch(
        /^slothd\/pi\/(chest\/(vitals|alarms|alert|availability)|health|cmd\/(ack|snooze|test))$/,
      );
      // An enum sensor has options and no unit (sensor.mqtt).
      if (component.device_class === 'enum') expect(component.options).toBeDefined();
      for (const entry of (component.availability as Fields[] | undefined) ?? []) {
        for (const field of Object.keys(entry)) expect(AVAILABILITY).toContain(field);
      }
      ids.add(component.unique_id);
    }
    expect(ids.size).toBe(Object.keys(payload.components).length);
  });

  test('has a heart rate, a rhythm, a quality, and a binary sensor for each alert kind', () => {
    expect(Object.keys(payload.components)).toEqual(
      expect.arrayContaining(['heart_rate', 'rhythm', 'quality', 'connected']),
    );
    for (const kind of [...HEALTH_KINDS, ...TECHNICAL_KINDS]) {
      const component = payload.components[`alert_${kind.replaceAll('-', '_')}`];
      expect(component?.platform).toBe('binary_sensor');
      expect(String(component?.value_template)).toContain(`'${kind}'`);
    }
  });

  test('has an event for each step of an alert, with attributes that are short', () => {
    const { alert } = payload.components;
    expect(alert).toMatchObject({ platform: 'event', event_types: ['new', 'update', 'end'] });
    const template = String(alert?.value_template);
    expect(template).toContain("'event_type': value_json['event']");
    // `value_json.values` would be the dictionary's own method in Jinja.
    expect(template).toContain("value_json['values']");
    expect(template).not.toContain('evidence');
  });

  test('has buttons whose payload is a command, and entities for what only some sensors have', () => {
    const { ack, snooze, test: button, battery, spo2, inference_latency } = payload.components;
    expect(JSON.parse(String(ack?.payload_press))).toEqual({ sensor: 'chest' });
    expect(JSON.parse(String(snooze?.payload_press))).toEqual({ sensor: 'chest', minutes: 30 });
    expect(JSON.parse(String(button?.payload_press))).toEqual({ sensor: 'chest' });
    expect(battery).toMatchObject({ device_class: 'battery', unit_of_measurement: '%' });
    expect(spo2?.state_class).toBe('measurement');
    expect(inference_latency).toMatchObject({ device_class: 'duration', unit_of_measurement: 'ms' });
    const plain = JSON.parse(discoveryPayload('pi', 'chest', '1.2.3', topics)) as typeof payload;
    expect(Object.keys(plain.components)).not.toContain('battery');
    expect(Object.keys(plain.components)).not.toContain('spo2');
  });

  test('is available only while daemon and sensor are; alerts stay visible when the sensor is gone', () => {
    expect(payload.availability_mode).toBe('all');
    expect(payload.availability).toEqual([
      { topic: 'slothd/pi/availability' },
      { topic: 'slothd/pi/chest/availability' },
    ]);
    expect(payload.components.alert_no_data?.availability).toEqual([{ topic: 'slothd/pi/availability' }]);
  });

  test('goes to the documented topics, with ids of letters, digits, - and _', () => {
    const settings = homeAssistantSchema.parse({});
    expect(discoveryTopic(settings, 'pi', 'chest')).toBe('homeassistant/device/slothd_pi_chest/config');
    expect(statusTopic(settings)).toBe('homeassistant/status');
    expect(deviceId('Großmutters Zimmer', 'a/b')).toMatch(/^[a-zA-Z0-9_-]+$/);
  });
});
