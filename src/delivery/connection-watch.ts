import type { MqttSettings } from '../config/mqtt.js';
import type { Timers } from '../domain/clock.js';
import type { DeliveryLog } from './log.js';
import { describeMqttError } from './mqtt-errors.js';
import type { ConnectMqtt } from './mqtt-link.js';
import { clientOptions } from './mqtt-options.js';
import { answers } from './probe.js';
import { checkTlsFiles, tlsFileTimes } from './tls-files.js';

export interface ConnectionWatchOptions {
  readonly settings: MqttSettings;
  readonly clientId: string;
  readonly availabilityTopic: string;
  readonly timers: Timers;
  readonly log: DeliveryLog;
  readonly connect: ConnectMqtt;
  /** The broker that is preferred to all others. */
  readonly home: () => { readonly url: string; readonly version: 4 | 5 };
  /** The preferred broker answers again. */
  readonly onHome: () => Promise<void>;
  /** The TLS files on the disk were renewed and fit together. */
  readonly onRenewed: () => Promise<void>;
}

/** How often the TLS files are looked at. */
const RENEWAL_CHECK_MS = 60_000;
/** A home that answers but cannot be used is looked for ever more rarely, up to this. */
const FAIL_BACK_MAX_MS = 3_600_000;

/** While a connection stands: whether there is a better one to be had. */
export class ConnectionWatch {
  private failBackMs: number;
  /** Counts connections, so that what was begun for a former one does nothing. */
  private round = 0;
  private cancels: (() => void)[] = [];

  constructor(private readonly options: ConnectionWatchOptions) {
    this.failBackMs = options.settings.failBackMs;
  }

  /** A connection stands. @param onBackup not with the preferred broker */
  start(onBackup: boolean): void {
    this.stop();
    if (onBackup) this.armFailBack(this.round);
    void this.watchRenewal(this.round);
  }

  /** The broker has taken a message. The preferred one is worth looking for again, should it go away. */
  served(atHome: boolean): void {
    if (atHome) this.failBackMs = this.options.settings.failBackMs;
  }

  stop(): void {
    this.round++;
    for (const cancel of this.cancels.splice(0)) cancel();
  }

  private after(delayMs: number, run: () => void): void {
    this.cancels.push(this.options.timers.after(delayMs, run));
  }

  private armFailBack(round: number): void {
    if (this.failBackMs > 0) this.after(this.failBackMs, () => void this.lookHome(round));
  }

  private async lookHome(round: number): Promise<void> {
    const { settings, clientId, availabilityTopic, log, connect } = this.options;
    const { url, version } = this.options.home();
    let there = false;
    try {
      const { will: _will, ...options } = await clientOptions(
        settings,
        version,
        `${clientId}-probe`,
        availabilityTopic,
      );
      there = await answers(connect, url, options);
    } catch (error) {
      log.debug({ err: error }, 'the first broker could not be looked for');
    }
    if (round !== this.round) return;
    if (!there) {
      this.armFailBack(round);
      return;
    }
    // Should it answer and yet not take us, we come back here and ask more rarely.
    this.failBackMs = Math.min(FAIL_BACK_MAX_MS, this.failBackMs * 2);
    await this.options.onHome();
  }

  private async watchRenewal(round: number): Promise<void> {
    const { settings, log } = this.options;
    const used = await tlsFileTimes(settings);
    if (used === null || round !== this.round) return;
    let seen = used;
    const look = async () => {
      const now = await tlsFileTimes(settings);
      if (round !== this.round) return;
      // Changed, and no longer changing: whoever writes them has finished.
      if (now !== null && now !== used && now === seen) {
        try {
          await checkTlsFiles(settings);
          if (round !== this.round) return;
          await this.options.onRenewed();
          return;
        } catch (error) {
          log.error(
            { reason: describeMqttError(error) },
            'renewed TLS files do not fit; the connection stays as it is',
          );
        }
      }
      seen = now ?? seen;
      if (round === this.round) this.after(RENEWAL_CHECK_MS, look);
    };
    this.after(RENEWAL_CHECK_MS, look);
  }
}
