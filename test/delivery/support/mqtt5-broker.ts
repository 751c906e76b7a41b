import net from 'node:net';
import * as mqttPacket from 'mqtt-packet';

export interface Mqtt5Options {
  /** Properties of the CONNACK. */
  connack?: Record<string, unknown>;
  /** Reason code of the CONNACK; above 127 refuses. */
  refuse?: (packet: mqttPacket.IConnectPacket) => number;
  /** Reason code of a PUBACK; undefined sends none at all. */
  puback?: (packet: mqttPacket.IPublishPacket) => number | undefined;
  /** Hangs up instead of taking the message. */
  hangUp?: (packet: mqttPacket.IPublishPacket) => boolean;
}

interface Session {
  readonly socket: net.Socket;
  readonly id: string;
  readonly filters: Map<string, number>;
  will: mqttPacket.IConnectPacket['will'] | null;
  nextId: number;
  inFlight: number;
}

/**
 * As much of an MQTT 5 broker as the tests need, written to the standard and knowing nothing of slothd: retained
 * messages, wills, take-over, properties passed on, and the faults a test asks for.
 */
export async function startMqtt5Broker(options: Mqtt5Options = {}) {
  const sessions = new Map<string, Session>();
  const retained = new Map<string, mqttPacket.IPublishPacket>();
  const published: mqttPacket.IPublishPacket[] = [];
  const connects: mqttPacket.IConnectPacket[] = [];
  let mostInFlight = 0;

  const send = (session: Session, packet: mqttPacket.Packet) => {
    if (!session.socket.destroyed) session.socket.write(mqttPacket.generate(packet, { protocolVersion: 5 }));
  };
  const route = (packet: mqttPacket.IPublishPacket) => {
    published.push(packet);
    if (packet.retain) {
      if (packet.payload.length === 0) retained.delete(packet.topic);
      else retained.set(packet.topic, packet);
    }
    for (const session of sessions.values()) {
      for (const [filter, qos] of session.filters) {
        if (!matches(filter, packet.topic)) continue;
        forward(session, packet, Math.min(qos, packet.qos), false);
        break;
      }
    }
  };
  const forward = (session: Session, packet: mqttPacket.IPublishPacket, qos: number, retain: boolean) => {
    session.nextId = (session.nextId % 65_535) + 1;
    const messageId = qos > 0 ? session.nextId : undefined;
    send(session, { ...packet, qos: qos as 0 | 1, retain, dup: false, messageId });
  };
  const end = (session: Session, sayWill: boolean) => {
    if (sessions.get(session.id) === session) sessions.delete(session.id);
    const { will } = session;
    session.will = null;
    if (sayWill && will) {
      route({
        cmd: 'publish',
        topic: will.topic,
        payload: will.payload,
        qos: will.qos ?? 0,
        retain: will.retain ?? false,
        dup: false,
      } as mqttPacket.IPublishPacket);
    }
  };

  const server = net.createServer((socket) => {
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    let session: Session | null = null;
    socket.on('data', (chunk) => parser.parse(chunk));
    socket.on('error', () => undefined);
    parser.on('error', () => socket.destroy());
    socket.on('close', () => session && end(session, true));
    parser.on('packet', (packet) => {
      if (packet.cmd === 'connect') {
        connects.push(packet);
        const reasonCode = options.refuse?.(packet) ?? 0;
        const connack = {
          cmd: 'connack',
          sessionPresent: false,
          reasonCode,
          properties: options.connack,
        } as mqttPacket.IConnackPacket;
        if (reasonCode === 0) {
          const former = sessions.get(packet.clientId);
          session = {
            socket,
            id: packet.clientId,
            filters: new Map(),
            will: packet.will ?? null,
            nextId: 0,
            inFlight: 0,
          };
          sessions.set(packet.clientId, session);
          if (former) {
            send(former, { cmd: 'disconnect', reasonCode: 142 } as mqttPacket.IDisconnectPacket);
            former.socket.destroy();
            end(former, true);
          }
        }
        socket.write(mqttPacket.generate(connack, { protocolVersion: 5 }));
        if (reasonCode !== 0) socket.end();
        return;
      }
      // What follows in the buffer of a connection we hung up on is not read.
      if (!session || socket.destroyed) return;
      const own = session;
      switch (packet.cmd) {
        case 'subscribe':
          send(own, {
            cmd: 'suback',
            messageId: packet.messageId ?? 0,
            granted: packet.subscriptions.map(({ qos }) => Math.min(1, qos)),
          } as mqttPacket.ISubackPacket);
          for (const { topic, qos } of packet.subscriptions) {
            own.filters.set(topic, Math.min(1, qos));
            for (const message of retained.values()) {
              if (matches(topic, message.topic)) forward(own, message, Math.min(qos, message.qos), true);
            }
          }
          break;
        case 'publish': {
          if (options.hangUp?.(packet)) {
            socket.destroy();
            return;
          }
          if (packet.qos > 0) {
            own.inFlight++;
            mostInFlight = Math.max(mostInFlight, own.inFlight);
          }
          const reasonCode = options.puback ? options.puback(packet) : 0;
          if (reasonCode === undefined) break;
          if (reasonCode < 128) route(packet);
          if (packet.qos > 0) {
            // Not at once: several may be on their way, which is what receiveMaximum bounds.
            setImmediate(() => {
              own.inFlight--;
              send(own, { cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode } as mqttPacket.IPubackPacket);
            });
          }
          break;
        }
        case 'pingreq':
          send(own, { cmd: 'pingresp' });
          break;
        case 'disconnect':
          own.will = null;
          socket.end();
          break;
        default:
          break;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    retained,
    published,
    connects,
    /** Most QoS 1 messages of one client on their way at once. */
    get mostInFlight() {
      return mostInFlight;
    },
    async close() {
      for (const { socket } of sessions.values()) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Topic filters as MQTT 5, 4.7 defines them. */
function matches(filter: string, topic: string): boolean {
  const want = filter.split('/');
  const have = topic.split('/');
  for (const [i, level] of want.entries()) {
    if (level === '#') return true;
    if (i >= have.length || (level !== '+' && level !== have[i])) return false;
  }
  return want.length === have.length;
}
