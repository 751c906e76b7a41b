import type { IClientOptions } from 'mqtt';
import type { MqttSettings } from '../config/mqtt.js';
import { readNamed, readTlsFiles } from './tls-files.js';

/** Largest packet we accept, as we tell a broker of MQTT 5: commands are small, and a flood must not cost memory. */
const INBOUND_PACKET_BYTES = 64 * 1024;
const INBOUND_RECEIVE_MAXIMUM = 16;

/**
 * Options for one connection. Secrets and certificates are read here, at each attempt, so that a renewed one is taken.
 * @throws Error naming the setting and the file, where one cannot be read
 */
export async function clientOptions(
  settings: MqttSettings,
  version: 4 | 5,
  clientId: string,
  availabilityTopic: string,
): Promise<IClientOptions> {
  const { tls } = settings;
  const [password, { ca, cert, key }] = await Promise.all([
    readSecret('mqtt.passwordFile', settings.passwordFile),
    readTlsFiles(settings),
  ]);
  const options: IClientOptions = {
    protocolVersion: version,
    clientId,
    clean: settings.sessionExpiryS === 0,
    keepalive: settings.keepaliveS,
    reschedulePings: true,
    connectTimeout: settings.connectTimeoutMs,
    // The library neither reconnects nor queues: both are ours.
    reconnectPeriod: 0,
    queueQoSZero: false,
    resubscribe: false,
    // Else mqtt-packet makes and keeps a Buffer for each of 65,536 numbers at the first packet: 8 MB, before the first alert.
    writeCache: false,
    will: { topic: availabilityTopic, payload: Buffer.from('offline'), qos: 1, retain: true },
    rejectUnauthorized: tls.verify,
  };
  if (settings.username !== undefined) options.username = settings.username;
  if (password !== undefined) options.password = password;
  if (ca !== undefined) options.ca = ca;
  if (cert !== undefined) options.cert = cert;
  if (key !== undefined) options.key = key;
  if (tls.serverName !== undefined) options.servername = tls.serverName;
  if (tls.alpn !== undefined) options.ALPNProtocols = tls.alpn;
  if (version === 5) {
    options.properties = {
      receiveMaximum: INBOUND_RECEIVE_MAXIMUM,
      maximumPacketSize: INBOUND_PACKET_BYTES,
      sessionExpiryInterval: settings.sessionExpiryS,
    };
  }
  return options;
}

async function readSecret(name: string, file: string | undefined): Promise<string | undefined> {
  const text = await readNamed(name, file);
  return text?.toString('utf8').replace(/[\r\n]+$/, '');
}
