// A mosquitto that can be stopped and started on the same port and keeps its sessions.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export class Broker {
  #child = null;

  constructor(folder, port) {
    this.url = `mqtt://127.0.0.1:${port}`;
    this.file = join(folder, 'mosquitto.conf');
    writeFileSync(
      this.file,
      [
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        // What waits for the consumer outlives a stop; else a lost message would be the broker's.
        'persistence true',
        `persistence_location ${folder}/`,
        'max_queued_messages 0',
        `user ${userInfo().username}`,
        '',
      ].join('\n'),
    );
  }

  async start() {
    const path = `${process.env.PATH}:/usr/sbin`;
    this.#child = spawn('mosquitto', ['-c', this.file], { stdio: 'ignore', env: { ...process.env, PATH: path } });
    const failed = new Promise((_, reject) => {
      this.#child.once('error', () => reject(new Error('mosquitto is not installed: apt-get install mosquitto')));
    });
    await Promise.race([failed, sleep(300)]);
  }

  async stop() {
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
  }
}
