/** CONNACK return codes of MQTT 3.1.1 (3.2.2.3) and reason codes of MQTT 5 (3.2.2.2) and DISCONNECT (3.14.2.1). */
const REASONS: Readonly<Record<number, string>> = {
  1: 'the broker does not speak this MQTT version',
  2: 'the broker rejects the client id; set mqtt.clientId',
  3: 'the broker says it is not available now',
  4: 'the broker refuses user name or password; see mqtt.username and mqtt.passwordFile',
  5: 'the broker does not authorize this client; see mqtt.username, mqtt.passwordFile and the access rules of the broker',
  132: 'the broker does not speak this MQTT version',
  133: 'the broker rejects the client id; set mqtt.clientId',
  134: 'the broker refuses user name or password; see mqtt.username and mqtt.passwordFile',
  135: 'the broker does not authorize this client; see mqtt.username, mqtt.passwordFile and the access rules of the broker',
  136: 'the broker says it is not available now',
  137: 'the broker is busy',
  138: 'the broker has banned this client',
  139: 'the broker is shutting down',
  141: 'the broker heard nothing for one and a half keep-alives',
  142: 'another client uses the same client id; give each device its own mqtt.clientId (or node name)',
  144: 'the broker does not allow this topic',
  147: 'the broker allows fewer messages on their way',
  149: 'the message is larger than the broker allows',
  151: 'a quota of the broker is used up',
  154: 'the broker does not keep retained messages',
  155: 'the broker does not support QoS 1',
};

const SYSTEM: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'no broker listens there; is it running, and is the port right?',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name cannot be looked up now; is the network up?',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ETIMEDOUT: 'the host does not answer',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  EPROTO: 'this is not a TLS port; use mqtt:// or the TLS port',
  ERR_SSL_WRONG_VERSION_NUMBER: 'this is not a TLS port; use mqtt:// or the TLS port',
  CERT_HAS_EXPIRED: "the broker's certificate has expired",
  CERT_NOT_YET_VALID: "the broker's certificate is not valid yet; is this device's clock set?",
  ERR_TLS_CERT_ALTNAME_INVALID: "the broker's certificate is for another name; see mqtt.tls.serverName",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the broker's certificate signs itself; name it in mqtt.tls.caFile",
  SELF_SIGNED_CERT_IN_CHAIN: "the broker's certificate is signed by an unknown authority; name it in mqtt.tls.caFile",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "the broker's certificate is signed by an unknown authority; name it in mqtt.tls.caFile",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "the broker's certificate is signed by an unknown authority; name it in mqtt.tls.caFile",
};

/**
 * What the broker's TLS half says of ours. Depending on when it is heard it comes as a code of its own or inside the
 * message of an EPROTO, and OpenSSL's versions spell the beginnings differently.
 */
const TLS_ALERTS: readonly (readonly [RegExp, string])[] = [
  [
    /alert certificate required/,
    'the broker asks for a client certificate; see mqtt.tls.certFile and mqtt.tls.keyFile',
  ],
  [/alert certificate expired/, 'the broker says our client certificate has expired; renew mqtt.tls.certFile'],
  [/alert certificate revoked/, 'the broker says our client certificate was revoked; renew mqtt.tls.certFile'],
  [
    /alert (unknown ca|bad certificate|unsupported certificate|certificate unknown|decrypt error)/,
    'the broker does not accept our client certificate; see mqtt.tls.certFile and mqtt.tls.keyFile',
  ],
  [/alert handshake failure/, 'the broker refuses the TLS handshake; does it ask for a client certificate?'],
  [/alert no application protocol/, 'the broker does not know any protocol of mqtt.tls.alpn'],
  [/alert unrecognized name/, 'the broker does not know the host name we asked for; see mqtt.tls.serverName'],
  [/key values mismatch/, 'mqtt.tls.keyFile is not the key of mqtt.tls.certFile'],
  [/no start line| pem | asn1 /, 'a file of mqtt.tls is not in PEM format'],
];

function describeTls(code: string, message: string): string | null {
  const text = `${code} ${message}`.toLowerCase().replaceAll('_', ' ');
  return TLS_ALERTS.find(([words]) => words.test(text))?.[1] ?? null;
}

/** An MQTT reason code in words that say what to do; null for a code without any. */
export function describeReasonCode(code: number): string | null {
  return REASONS[code] ?? null;
}

/** Why a connection failed or ended, for a person. */
export function describeMqttError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  if (typeof code === 'number') return describeReasonCode(code) ?? error.message;
  if (typeof code === 'string') {
    const words = describeTls(code, error.message) ?? SYSTEM[code];
    if (words) return `${words} (${code})`;
  }
  // Happy-eyeballs connects to several addresses and reports them together.
  if (error instanceof AggregateError && error.errors.length > 0) return describeMqttError(error.errors[0]);
  if (error.message === 'connack timeout') return 'the broker does not answer; is this an MQTT port?';
  if (error.message === 'Keepalive timeout') return 'the broker has gone silent';
  return error.message;
}
