import type { Logger } from 'pino';
import type { Config } from '../../config/schema.js';
import type { ModelRefresh } from '../../daemon/models.js';
import { changedSettings } from './changes.js';

/** A daemon as far as a reload needs it. */
export interface Reloadable {
  start(): Promise<void>;
  /** `restarting`: systemd is not told that the service ends. */
  stop(how?: { readonly restarting: boolean }): Promise<void>;
  /** Takes other model bundles in without a pause, where others are wanted now. */
  refreshModels?(): Promise<ModelRefresh>;
}

/**
 * Takes a changed config into a running process. The log level changes on the spot; for anything else the daemon inside
 * the process is taken down and built anew (ports are opened again, open alarms, acknowledgements and unsent alerts come
 * back from the store). A config with mistakes changes nothing; one that cannot be started gives way to the former.
 */
export class Reloader<D extends Reloadable> {
  private busy: Promise<void> = Promise.resolve();

  constructor(
    private config: Config,
    public daemon: D,
    private readonly read: () => Promise<Config>,
    private readonly build: (config: Config) => D,
    private readonly log: Pick<Logger, 'info' | 'error'> & { level: string },
  ) {}

  /** One at a time, in order. Rejects only where neither the new nor the former config can be started. */
  reload(): Promise<void> {
    this.busy = this.busy.then(() => this.take());
    return this.busy;
  }

  /** Resolves when no reload is under way. */
  settled(): Promise<void> {
    return this.busy.catch(() => {});
  }

  private async take(): Promise<void> {
    let next: Config;
    try {
      next = await this.read();
    } catch (error) {
      this.log.error(`reload refused, the former config stays: ${(error as Error).message}`);
      return;
    }
    const changed = changedSettings(this.config, next);
    if (changed.length === 0 && (await this.takeModels()) !== 'restart') return;
    if (changed.length === 0) changed.push('inference.models');
    const former = this.config;
    if (changed.some((name) => name !== 'log.level')) {
      let built: D;
      try {
        // Before the running one ends: a token that cannot be read must not cost anything.
        built = this.build(next);
      } catch (error) {
        this.log.error({ changed }, `reload refused, the former config stays: ${(error as Error).message}`);
        return;
      }
      this.log.level = next.log.level;
      await this.daemon.stop({ restarting: true });
      try {
        await this.begin(built);
      } catch (error) {
        this.log.error({ changed }, `reload failed, back to the former config: ${(error as Error).message}`);
        this.log.level = former.log.level;
        await this.daemon.stop({ restarting: true }).catch(() => {});
        await this.begin(this.build(former));
        return;
      }
    }
    this.log.level = next.log.level;
    this.config = next;
    this.log.info({ changed }, 'reload: taken');
  }

  /** The config is the same; the models below the state folder may not be. */
  private async takeModels(): Promise<ModelRefresh['outcome']> {
    const { outcome, says } = (await this.daemon.refreshModels?.()) ?? { outcome: 'unchanged' as const, says: '' };
    if (outcome === 'swapped') this.log.info(`reload: other models run, swapped without a pause: ${says}`);
    else if (outcome === 'refused') this.log.error(`reload: the former models stay: ${says}`);
    else if (outcome === 'unchanged') this.log.info('reload: nothing changed');
    return outcome;
  }

  private async begin(daemon: D): Promise<void> {
    this.daemon = daemon;
    await daemon.start();
  }
}
