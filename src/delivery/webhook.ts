import type { OutboxSettingsOf } from '../config/mqtt.js';
import type { WebhookSettings } from '../config/webhook.js';
import type { AlertPriority, Announcement } from '../domain/alert.js';
import type { Clock, Timers } from '../domain/clock.js';
import type { KeyValueStore, StoreWrite } from '../domain/store.js';
import type { DeliveryLog } from './log.js';
import { describeMqttError } from './mqtt-errors.js';
import { Outbox, type OutboxItem, type OutboxStats, type SendOutcome } from './outbox.js';
import { finishAlertJson, withoutEvidence } from './payloads.js';
import type { StoreQueue } from './store-queue.js';
import { readNamed } from './tls-files.js';
import { signedHeaders, signingKey } from './webhook-signature.js';

export interface WebhookOptions {
  readonly settings: WebhookSettings & { readonly url: string };
  /** Bounds of what waits; the same as for the broker. */
  readonly outbox: OutboxSettingsOf;
  readonly version: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly store: KeyValueStore;
  readonly queue: StoreQueue;
  readonly log: DeliveryLog;
  readonly random: () => number;
  readonly fetch?: typeof fetch;
}

export interface WebhookStats {
  /** Why the last attempt failed, for a person; empty where it did not. */
  readonly lastError: string;
  readonly delivered: number;
  readonly attempts: number;
  readonly outbox: OutboxStats;
}

/** Where its entries are kept. */
export const WEBHOOK_PREFIX = 'webhook/';
const RANK: Readonly<Record<AlertPriority, number>> = { high: 2, medium: 1, low: 0 };
/** Answers that mean: this message, as it is, never. All others may change when somebody mends the receiver. */
const NEVER = new Set([400, 413, 415, 422]);
/** So often a message is refused as it is before it is given up; the second half of the tries go without evidence. */
const GIVE_UP_AFTER = 6;

/**
 * Alerts by signed HTTP posts, through an outbox of their own in the same store: kept until the receiver has answered
 * 2xx, one at a time and so in order, with waits that grow while it does not answer.
 */
export class Webhook {
  private readonly outbox: Outbox;
  private readonly fetch: typeof fetch;
  private readonly abort = new AbortController();
  private busy = false;
  private backoffMs: number;
  private cancelRetry: (() => void) | null = null;
  private stopped = false;
  private delivered = 0;
  private attempts = 0;
  private lastError = '';
  private refusedKey = '';
  private refusals = 0;

  constructor(private readonly options: WebhookOptions) {
    const { store, queue, clock, timers, log, outbox, settings } = options;
    this.fetch = options.fetch ?? globalThis.fetch;
    this.backoffMs = settings.retryMinMs;
    this.outbox = new Outbox({
      store,
      queue,
      prefix: WEBHOOK_PREFIX,
      clock,
      timers,
      log,
      settings: outbox,
      send: (item, done) => this.send(item, done),
    });
  }

  async start(): Promise<void> {
    await this.outbox.load();
    this.outbox.setLink(true);
    this.pump();
  }

  /** Takes an alert. Returns what must be written in the same batch as the alarm's state. */
  take(change: Announcement, body: string, arrivedAtMs: number | null): StoreWrite[] {
    if (RANK[change.priority] < RANK[this.options.settings.minPriority]) return [];
    return this.outbox.share({
      sensor: change.sensor,
      topic: `${change.id}-${change.sequence}`,
      class: 'alert',
      body,
      arrivedAtMs,
    });
  }

  stats(): WebhookStats {
    const { lastError, delivered, attempts } = this;
    return { lastError, delivered, attempts, outbox: this.outbox.stats() };
  }

  /** Lets a post that is on its way finish, for so long. */
  async stop(timeoutMs: number): Promise<void> {
    this.stopped = true;
    this.cancelRetry?.();
    for (let waitedMs = 0; this.busy && waitedMs < timeoutMs; waitedMs += 20) {
      await new Promise<void>((resolve) => this.options.timers.after(20, resolve));
    }
    this.abort.abort();
    this.outbox.stop();
  }

  private pump(): void {
    if (this.outbox.pumpFresh()) this.outbox.pumpReplay();
  }

  private send(item: OutboxItem, done: (outcome: SendOutcome) => void): boolean {
    if (this.busy || this.stopped) return false;
    this.busy = true;
    void this.post(item).then(
      () => this.succeeded(done),
      (error: unknown) => this.failed(error, item, done),
    );
    return true;
  }

  /** @throws Refusal or what `fetch` threw */
  private async post(item: OutboxItem): Promise<void> {
    const { settings, clock, version } = this.options;
    this.attempts++;
    const secret = await readNamed('webhook.secretFile', settings.secretFile);
    const key = signingKey(secret?.toString('utf8') ?? '');
    const latencyMs = item.arrivedAtMs === null ? null : Math.max(0, clock.monotonicMs() - item.arrivedAtMs);
    const strip = item.topic === this.refusedKey && this.refusals >= GIVE_UP_AFTER / 2;
    const body = finishAlertJson(strip ? withoutEvidence(item.body) : item.body, latencyMs, item.replayed);
    const response = await this.fetch(settings.url, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'user-agent': `slothd/${version}`,
        ...signedHeaders(key, item.topic, clock.wallMs(), body),
      },
      // A redirect would send a heart's data where nobody configured it.
      redirect: 'manual',
      signal: AbortSignal.any([this.abort.signal, AbortSignal.timeout(settings.timeoutMs)]),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Refusal(response.status);
  }

  private succeeded(done: (outcome: SendOutcome) => void): void {
    const { log, settings } = this.options;
    if (this.lastError !== '') log.info({ url: settings.url }, 'the webhook answers again');
    this.busy = false;
    this.delivered++;
    this.lastError = '';
    this.backoffMs = settings.retryMinMs;
    done('acked');
    this.pump();
  }

  private failed(error: unknown, item: OutboxItem, done: (outcome: SendOutcome) => void): void {
    const { settings, log, timers, random } = this.options;
    this.busy = false;
    const reason = describeHttpFailure(error, settings.timeoutMs);
    if (reason !== this.lastError)
      log.warn({ url: settings.url, reason }, 'the webhook does not take alerts; they wait');
    this.lastError = reason;
    if (error instanceof Refusal && NEVER.has(error.status) && this.countRefusal(item) >= GIVE_UP_AFTER) {
      log.error({ id: item.topic, status: error.status }, 'an alert was given up: the webhook refuses it as it is');
      done('undeliverable');
      this.pump();
      return;
    }
    done('lost');
    this.outbox.setLink(false);
    if (this.stopped) return;
    const waitMs = this.backoffMs * (0.5 + 0.5 * random());
    this.backoffMs = Math.min(settings.retryMaxMs, this.backoffMs * 2);
    this.cancelRetry = timers.after(waitMs, () => {
      this.outbox.setLink(true);
      this.pump();
    });
  }

  private countRefusal({ topic }: OutboxItem): number {
    this.refusals = topic === this.refusedKey ? this.refusals + 1 : 1;
    this.refusedKey = topic;
    return this.refusals;
  }
}

/** The receiver has answered, and not with 2xx. */
class Refusal extends Error {
  constructor(readonly status: number) {
    super(`HTTP ${status}`);
  }
}

/** Why a request to a webhook failed, in words for a person. */
export function describeHttpFailure(error: unknown, timeoutMs: number): string {
  if (error instanceof Refusal) {
    const { status } = error;
    if (status === 401 || status === 403)
      return `the webhook refuses us (${status}); is webhook.secretFile the same there?`;
    if (status === 404 || status === 410) return `there is no such webhook (${status}); see webhook.url`;
    if (status >= 300 && status < 400) return `the webhook has moved (${status}); set webhook.url to where it is now`;
    if (status === 429) return 'the webhook asks us to be slower (429)';
    return `the webhook answers with ${status}`;
  }
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `the webhook did not answer within ${timeoutMs} ms`;
  // `fetch` hides what went wrong in its cause.
  const { cause } = error;
  return cause instanceof Error ? describeMqttError(cause).replaceAll('broker', 'receiver') : error.message;
}
