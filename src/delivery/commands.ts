import type { IPublishPacket } from 'mqtt';
import type { Clock } from '../domain/clock.js';
import type { DeliveryLog } from './log.js';
import type { CommandAnswer } from './payloads.js';
import { TokenBucket } from './token-bucket.js';

/** Carries out a verb. What it returns (or resolves to) is the answer's `result`; what it throws is its `error`. */
export type CommandHandler = (verb: string, args: Readonly<Record<string, unknown>>) => unknown;

export interface CommandStats {
  readonly received: number;
  readonly answered: number;
  readonly failed: number;
  /** Not carried out because there were too many. */
  readonly dropped: number;
}

export interface CommandOptions {
  readonly clock: Clock;
  readonly log: DeliveryLog;
  /** Where answers must not go: topics of ours and of other devices mean what the contract says and nothing else. */
  readonly isSpokenFor: (topic: string) => boolean;
  /** Where an answer goes that nobody named a topic for. */
  readonly responseTopic: (verb: string) => string;
  readonly reply: (topic: string, payload: string, correlationData: Buffer | undefined) => void;
}

/** A person with a dashboard sends one at a time; ten a second is a program gone wrong. */
const PER_SECOND = 10;
const BURST = 20;
const AT_ONCE = 8;
const MAX_BYTES = 16 * 1024;
const MAX_RESPONSE_TOPIC = 512;
const MAX_REQUEST_ID = 128;

/** A command on its way: what its answer needs. */
interface Asked {
  readonly verb: string;
  readonly packet: IPublishPacket;
  readonly requestId: string | number | undefined;
}

/**
 * Commands from `<root>/cmd/<verb>`: parsed, bounded and answered on the MQTT 5 response topic. MQTT 3.1.1 has no response
 * topic: there the answer goes to `<root>/response/<verb>`, and a `requestId` in the command comes back in it. A flood costs
 * one comparison per message; every message that is carried out gets exactly one answer.
 */
export class Commands {
  private handler: CommandHandler | null = null;
  private readonly tokens: TokenBucket;
  private busyAnswerAtMs = Number.NEGATIVE_INFINITY;
  private running = 0;
  private received = 0;
  private answered = 0;
  private failed = 0;
  private dropped = 0;

  constructor(private readonly options: CommandOptions) {
    this.tokens = new TokenBucket(options.clock, PER_SECOND, BURST);
  }

  onCommand(handler: CommandHandler): void {
    this.handler = handler;
  }

  /** Takes one message from a command topic. Never throws, whatever the payload. */
  take(verb: string, payload: Buffer, packet: IPublishPacket): void {
    this.received++;
    const now = this.options.clock.monotonicMs();
    if (this.tokens.waitMs > 0 || this.running >= AT_ONCE) {
      this.dropped++;
      // Said once a second: answering each would double the flood.
      if (now - this.busyAnswerAtMs >= 1000) {
        this.busyAnswerAtMs = now;
        this.options.log.warn({ dropped: this.dropped }, 'too many commands; some are dropped');
        this.fail({ verb, packet, requestId: undefined }, 'too many commands; try again later');
      }
      return;
    }
    this.tokens.take();
    if (packet.retain) {
      // A retained command would be carried out again at each reconnect.
      this.fail({ verb, packet, requestId: undefined }, 'a command must not be retained');
      return;
    }
    const args = parseArguments(payload);
    if (typeof args === 'string') {
      this.fail({ verb, packet, requestId: undefined }, args);
      return;
    }
    void this.run({ verb, packet, requestId: requestIdOf(args) }, args);
  }

  stats(): CommandStats {
    const { received, answered, failed, dropped } = this;
    return { received, answered, failed, dropped };
  }

  private async run(asked: Asked, args: Record<string, unknown>): Promise<void> {
    const { verb } = asked;
    this.running++;
    try {
      if (!this.handler) throw new Error('slothd is starting; try again later');
      const result = await this.handler(verb, args);
      this.answer(asked, { schema: 'slothd.answer.v1', verb, ok: true, result: result ?? null });
    } catch (error) {
      this.fail(asked, error instanceof Error ? error.message : String(error));
    } finally {
      this.running--;
    }
  }

  private fail(asked: Asked, error: string): void {
    const { verb } = asked;
    this.failed++;
    this.options.log.debug({ verb, error }, 'a command failed');
    this.answer(asked, { schema: 'slothd.answer.v1', verb, ok: false, error });
  }

  private answer({ verb, packet, requestId }: Asked, result: CommandAnswer): void {
    const answer = requestId === undefined ? result : { ...result, requestId };
    const topic = packet.properties?.responseTopic ?? this.options.responseTopic(verb);
    if (!this.mayAnswerOn(topic)) {
      this.options.log.debug({ topic }, 'a command asked for its answer on a topic we do not use');
      return;
    }
    let payload: string;
    try {
      payload = JSON.stringify(answer);
    } catch {
      payload = JSON.stringify({ ...answer, ok: false, result: undefined, error: 'the result cannot be told as JSON' });
    }
    this.answered++;
    this.options.reply(topic, payload, packet.properties?.correlationData);
  }

  private mayAnswerOn(topic: string): boolean {
    if (topic === '' || topic.length > MAX_RESPONSE_TOPIC || /[+#\0]/.test(topic) || topic.startsWith('$'))
      return false;
    // Nobody gets us to say something false about a heart on its own topic, or to send commands.
    return !this.options.isSpokenFor(topic);
  }
}

function requestIdOf({ requestId }: Record<string, unknown>): string | number | undefined {
  const usable = Number.isFinite(requestId) || (typeof requestId === 'string' && requestId.length <= MAX_REQUEST_ID);
  return usable ? (requestId as string | number) : undefined;
}

/** The arguments, or why they are none. */
function parseArguments(payload: Buffer): Record<string, unknown> | string {
  if (payload.length === 0) return {};
  if (payload.length > MAX_BYTES) return `a command has at most ${MAX_BYTES} bytes`;
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch {
    return 'the payload is not JSON';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'the payload must be a JSON object';
  return value as Record<string, unknown>;
}
