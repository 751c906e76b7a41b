import type { MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import type { Config } from '../../config/schema.js';
import { describeMqttError, describeReasonCode } from '../../delivery/mqtt-errors.js';
import { clientOptions } from '../../delivery/mqtt-options.js';
import { bad, type Finding, good, note } from './finding.js';

const TIMEOUT_MS = 6000;

/**
 * Each broker of the config: reachable, TLS, user and password, and rights on the topics slothd uses; under a client id
 * that disturbs nobody.
 */
export async function checkBroker(config: Config): Promise<Finding[]> {
  const { mqtt } = config;
  if (!mqtt.enabled) return [note('broker', 'off in the config: alerts stay on this device')];
  const urls = [mqtt.url, ...mqtt.backups];
  const findings = await Promise.all(urls.map((url) => checkOne({ ...config, mqtt: { ...mqtt, url } })));
  return findings.flat();
}

async function checkOne({ mqtt: settings, node }: Config): Promise<Finding[]> {
  const root = `${settings.baseTopic}/${node}`;
  const fix = `slothd check, then look at mqtt in the config; by hand: mosquitto_pub -L ${settings.url}/test -m hello`;
  let client: MqttClient | undefined;
  try {
    const version = settings.protocol === '3.1.1' ? 4 : 5;
    const { will: _will, ...options } = await clientOptions(settings, version, `slothd-doctor-${process.pid}`, root);
    client = await mqtt.connectAsync(settings.url, { ...options, connectTimeout: TIMEOUT_MS }, false);
    const findings: Finding[] = [];
    const topics = await subscribe(client, `${root}/cmd/+`);
    if (topics)
      findings.push(
        bad('broker', `may not subscribe to ${root}/cmd/+: ${topics}`, `allow it in the broker's access rules`),
      );
    const publishing = await publish(client, `${root}/doctor`);
    if (publishing)
      findings.push(
        bad('broker', `may not publish below ${root}: ${publishing}`, `allow it in the broker's access rules`),
      );
    if (settings.url.startsWith('mqtts') && !settings.tls.verify) {
      findings.push(note('broker', 'mqtt.tls.verify is false: anyone may pose as the broker', 'set mqtt.tls.caFile'));
    }
    if (findings.every(({ state }) => state === 'note'))
      findings.push(good('broker', `${settings.url} answers and allows ${root}`));
    return findings;
  } catch (error) {
    return [bad('broker', `${settings.url}: ${describeMqttError(error)}`, fix)];
  } finally {
    client?.end(true);
  }
}

async function subscribe(client: MqttClient, topic: string): Promise<string | null> {
  try {
    const [granted] = await client.subscribeAsync(topic, { qos: 1 });
    return granted && granted.qos < 128 ? null : 'refused';
  } catch (error) {
    return describeMqttError(error);
  }
}

/** MQTT 5 brokers answer a forbidden message with a reason code; older ones swallow it, and nothing can tell. */
async function publish(client: MqttClient, topic: string): Promise<string | null> {
  try {
    const packet = (await client.publishAsync(topic, '{}', { qos: 1 })) as { reasonCode?: number } | undefined;
    const code = packet?.reasonCode ?? 0;
    return code >= 128 ? (describeReasonCode(code) ?? `reason code ${code}`) : null;
  } catch (error) {
    return describeMqttError(error);
  }
}
