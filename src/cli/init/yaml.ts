import { findFormat, serialSettings } from '../../sensor/formats/registry.js';

export interface PlannedSensor {
  readonly name: string;
  readonly format: string;
  readonly path: string;
  readonly baudRate?: number;
}

const EXAMPLE: PlannedSensor = {
  name: 'heart',
  format: 'ad8232',
  path: '/dev/serial/by-id/usb-YOUR-SENSOR-HERE',
};

/** A commented config. Values that could be mistaken for YAML are quoted. */
export function writeYaml(sensors: readonly PlannedSensor[], brokerUrl: string): string {
  return `# Written by slothd init. After a change: slothd check, then sudo slothd reload. All settings, with their defaults:
# slothd check --print, or docs/config-reference.md

sensors:
${(sensors.length > 0 ? sensors : [EXAMPLE]).map(sensorLines).join('')}
mqtt:
  url: ${JSON.stringify(brokerUrl)}
  # A broker that asks for a password:
  # username: slothd
  # passwordFile: /run/credentials/slothd.service/mqtt-password   # see "Secrets" in docs/install-on-a-pi.md

# alarms:
#   tachycardia: { aboveBpm: 150 }
#   bradycardia: { belowBpm: 45 }

# The dashboard and metrics: http://localhost:9464/ on this machine alone.
http:
  port: 9464

log:
  level: info
`;
}

function sensorLines({ name, format, path, baudRate }: PlannedSensor): string {
  const usual = serialSettings(findFormat(format), {}).baudRate;
  const baud = baudRate !== undefined && baudRate !== usual ? `\n      baudRate: ${baudRate}` : '';
  return `  - name: ${JSON.stringify(name)}
    format: ${format}   # ${findFormat(format).title}
    link:
      type: serial
      path: ${JSON.stringify(path)}${baud}
`;
}
