import type { MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import type { Config } from '../../config/schema.js';
import { describeMqttError, describeReasonCode } from '../../delivery/mqtt-errors.js';
import { clientOptions } from '../../delivery/mqtt-options.js';
import { bad, type Finding, good, note, quoted } from './finding.js';
import { CREDENTIAL_FIX, isCredential } from './secrets.js';

const TIMEOUT_MS = 6000;
/** A broker that is there and says nothing to a question. */
const ANSWER_MS = 4000;

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
  let client: MqttClient | undefined;
  try {
    const version = settings.protocol === '3.1.1' ? 4 : 5;
    const { will: _will, ...options } = await clientOptions(settings, version, `slothd-doctor-${process.pid}`, root);
    if (options.ca !== undefined && !String(options.ca).includes('-----BEGIN'))
      throw new Error(`mqtt.tls.caFile: ${settings.tls.caFile}: it holds no certificate (PEM)`);
    if (options.password === '') throw new Error(`mqtt.passwordFile: ${settings.passwordFile}: it is empty`);
    client = await mqtt.connectAsync(settings.url, { ...options, connectTimeout: TIMEOUT_MS }, false);
    // Said while we ask, such as at once after a message that is not allowed; the question itself hears of it.
    client.on('error', () => {});
    const findings: Finding[] = [];
    const topics = await subscribe(client, `${root}/cmd/+`);
    if (topics) findings.push(bad('broker', `may not subscribe to ${root}/cmd/+: ${topics}`, allow(settings, root)));
    const publishing = await publish(client, `${root}/doctor`);
    if (publishing) findings.push(bad('broker', `may not publish below ${root}: ${publishing}`, allow(settings, root)));
    if (isTls(settings.url) && !settings.tls.verify) {
      findings.push(note('broker', 'mqtt.tls.verify is false: anyone may pose as the broker', 'set mqtt.tls.caFile'));
    }
    if (findings.every(({ state }) => state === 'note'))
      findings.push(good('broker', `${settings.url} answers and allows ${root}`));
    return findings;
  } catch (error) {
    const file = fileNamedIn(error);
    if (file && isCredential(file))
      return [
        note('broker', `${settings.url}: not tried, for ${file} is there only while the service runs`, CREDENTIAL_FIX),
      ];
    return [
      bad(
        'broker',
        `${settings.url}: ${describeMqttError(error)}${wrongPort(error, settings)}`,
        fixOf(error, settings),
      ),
    ];
  } finally {
    client?.end(true);
  }
}

async function subscribe(client: MqttClient, topic: string): Promise<string | null> {
  try {
    const [granted] = await answered(client.subscribeAsync(topic, { qos: 1 }));
    return granted && granted.qos < 128 ? null : 'refused';
  } catch (error) {
    return describeMqttError(error);
  }
}

/** MQTT 5 brokers answer a forbidden message with a reason code; older ones swallow it, and nothing can tell. */
async function publish(client: MqttClient, topic: string): Promise<string | null> {
  try {
    const packet = (await answered(client.publishAsync(topic, '{}', { qos: 1 }))) as
      | { reasonCode?: number }
      | undefined;
    const code = packet?.reasonCode ?? 0;
    return code >= 128 ? (describeReasonCode(code) ?? `reason code ${code}`) : null;
  } catch (error) {
    return describeMqttError(error);
  }
}

/** @throws Error where the answer does not come */
async function answered<T>(question: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the broker did not answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
  });
  try {
    return await Promise.race([question, late]);
  } finally {
    clearTimeout(timer);
  }
}

type Settings = Config['mqtt'];

/** TLS spoken to a port without it, or the other way round, is cut off without a word. */
function wrongPort(error: unknown, { url }: Settings): string {
  const { code } = error as { code?: unknown };
  if (code !== 'ECONNRESET' && code !== 'EPIPE') return '';
  return isTls(url) ? '; is this a TLS port? else use mqtt://' : '; is this a TLS port? then use mqtts://';
}

function isTls(url: string): boolean {
  return /^(mqtts|wss):/.test(url);
}

/** The file of a setting that could not be used, by the words of `readNamed`. */
function fileNamedIn(error: unknown): string | undefined {
  return /^mqtt\.\w+(?:\.\w+)?: (.+?): /.exec((error as Error).message ?? '')?.[1];
}

/** A rule for mosquitto, the broker most people have; others have their own words for it. */
function allow({ username }: Settings, root: string): string {
  const who = username === undefined ? '' : `user ${username}\\n`;
  return `printf '\\n${who}topic readwrite ${root}/#\\n' | sudo tee -a /etc/mosquitto/acl && sudo systemctl reload mosquitto   # on the broker; the file is what acl_file names`;
}

/** What mends it, by what went wrong. */
function fixOf(error: unknown, settings: Settings): string {
  const { code, message } = error as { code?: unknown; message?: string };
  const { hostname, port, protocol } = new URL(settings.url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const at = `${quoted(host)} ${port || defaultPort(protocol)}`;
  const says = describeMqttError(error);
  const file = fileNamedIn(error);
  // One that is there must not be overwritten because we may not read it.
  if (file && message?.startsWith('mqtt.passwordFile') && !/it may not be read/.test(message))
    return `sudo install -m 600 /dev/stdin ${quoted(file)}   # type the password, then Enter and Ctrl-D`;
  if (file) return `ls -l ${quoted(file)}`;
  if (code === 'ECONNREFUSED' && /^(localhost|127\..*|::1)$/.test(host))
    return 'sudo apt install mosquitto && sudo systemctl enable --now mosquitto   # or set mqtt.url to where your broker is';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `getent hosts ${quoted(host)}   # then mend mqtt.url`;
  if (/user name|authorize/.test(says))
    return `sudo mosquitto_passwd /etc/mosquitto/passwd ${quoted(settings.username ?? 'slothd')}   # on the broker; then mend mqtt.username and mqtt.passwordFile`;
  if (code === 'ECONNRESET' || code === 'EPIPE' || (isTls(settings.url) && /certificate|TLS|PEM|key/i.test(says)))
    return `openssl s_client -connect ${at.replace(' ', ':')} -servername ${quoted(settings.tls.serverName ?? host)} </dev/null   # shows its certificate; then mend mqtt.tls`;
  return `timeout 5 bash -c '</dev/tcp/${at.replace(' ', '/')}'   # says nothing where something listens; then mend mqtt.url`;
}

function defaultPort(protocol: string): string {
  return { 'mqtts:': '8883', 'ws:': '80', 'wss:': '443' }[protocol] ?? '1883';
}
