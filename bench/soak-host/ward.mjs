// One daemon under test: two RR straps whose every rule alarm is known beforehand, an ECG with an eventful heart that needs
// the model, and a finger on the model host's process.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findFormat } from '../../dist/sensor/formats/registry.js';
import { builtInScenario, makeScenario } from '../../dist/simulator/scenario.js';
import { SimulatedSensor } from '../../dist/simulator/sensor.js';
import { VirtualPort } from '../../dist/simulator/virtual-port.js';
import { freePort } from '../lib/ports.mjs';
import { pssBytes } from '../lib/processes.mjs';
import { hostOf } from '../soak/figures.mjs';
import { rrLines } from '../wire/signals.mjs';

export const STRAPS = 2;
const RATE_HZ = 250;
const START_MS = 180_000;
const LOOK_MS = 50;
/** A stopped host is found out after this; the default of 250 ms is for machines that do nothing else. */
const DEADLINE_MS = 1500;
const ANSWER_MS = 5000;
const HEARD_LINES = 3;

const calm = { rhythm: 'sinus', bpm: 72, seconds: 15 };
const EVENTFUL = makeScenario({
  name: 'soak-host',
  atEnd: 'repeat',
  episodes: [
    calm,
    { rhythm: 'ventricular-tachycardia', bpm: 175, beats: 30 },
    calm,
    { rhythm: 'sinus-tachycardia', bpm: 165, seconds: 25 },
    calm,
    { rhythm: 'pause', seconds: 4.5 },
  ],
});

export class Ward {
  /** Lines written to each strap's port since its alarms are counted, for what the daemon says it has decoded. */
  written = new Array(STRAPS).fill(0);
  #decodedBefore = new Array(STRAPS).fill(0);
  /** Alarms that lines have caused and that have not come yet, by strap. */
  expected = Array.from({ length: STRAPS }, () => []);
  #ports = [];
  #ecg = null;
  #stopEcg = () => {};
  #child = null;
  #log = 0;
  #playing = true;
  /** Straps whose last line with a meaning was that of a `new`. */
  #open = new Array(STRAPS).fill(false);
  /** Those that have raised any: a run of two rounds shall say something, too. */
  #alarmed = new Set();
  #strapsDone = null;

  static async start({ folder, name, brokerUrl, seed, seconds }) {
    const ward = new Ward();
    ward.name = name;
    ward.folder = join(folder, name);
    mkdirSync(ward.folder);
    for (let i = 0; i < STRAPS; i++)
      ward.#ports.push(await VirtualPort.open({ link: join(ward.folder, `strap${i}`), keepMs: 60_000 }));
    ward.#ecg = await VirtualPort.open({ link: join(ward.folder, 'ecg') });
    ward.http = await freePort();
    writeFileSync(join(ward.folder, 'slothd.yaml'), JSON.stringify(ward.#config(brokerUrl)));
    ward.#play(EVENTFUL, seed);
    await ward.#startDaemon();
    await ward.#hearStraps();
    ward.#strapsDone = ward.#playStraps(seconds);
    return ward;
  }

  get pid() {
    return this.#child.pid;
  }

  get exit() {
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  get host() {
    return hostOf(this.pid);
  }

  /** Memory of the daemon itself, MiB. */
  get mib() {
    return Math.round((pssBytes(this.pid) / 2 ** 20) * 10) / 10;
  }

  /** Waits until another host than `pid` answers. @returns ms it took; null: it did not come */
  async respawned(pid, patienceMs) {
    const fromMs = performance.now();
    while (performance.now() - fromMs < patienceMs) {
      const now = this.host;
      if (now !== null && now !== pid && (await this.isReady())) return performance.now() - fromMs;
      if (this.exit !== null) return null;
      await sleep(LOOK_MS);
    }
    return null;
  }

  async isReady() {
    return (await this.ask('/readyz').catch(() => null)) !== null;
  }

  /** An answer of 200, parsed where it is JSON; else an error. */
  async ask(path) {
    const response = await fetch(`http://127.0.0.1:${this.http}${path}`, { signal: AbortSignal.timeout(ANSWER_MS) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return path === '/metrics' ? text : JSON.parse(text);
  }

  /** Which variant each model runs: a host killed by somebody else must not change it. */
  async variants() {
    const { models } = await this.ask('/about');
    return models.map(({ name, precision, runtime }) => `${name} ${precision} ${runtime}`).join(', ');
  }

  /** Frames of each strap that the daemon has decoded since its alarms are counted. */
  async decoded() {
    const text = await this.ask('/metrics');
    return this.#decodedBefore.map(
      (before, i) =>
        Number(new RegExp(`^slothd_frames_total\\{sensor="strap${i}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0) - before,
    );
  }

  /** Even lines until every strap is heard: what is written while its port is being opened is lost, as on any wire. */
  async #hearStraps() {
    const fromMs = performance.now();
    while ((await this.decoded()).some((count) => count < HEARD_LINES)) {
      if (performance.now() - fromMs > START_MS)
        throw new Error(`${this.name} does not hear its straps: ${this.logTail}`);
      for (const port of this.#ports) port.write(Buffer.from('RR=1200\r\n'));
      await sleep(1200);
    }
    this.#decodedBefore = await this.decoded();
  }

  /** No more events: the straps fall silent after their line, the ECG goes on in peace. */
  async calm(seed) {
    this.#playing = false;
    await this.#strapsDone;
    this.#play(builtInScenario('calm'), seed);
  }

  async stop() {
    this.#playing = false;
    this.#stopEcg();
    if (this.#child && this.exit === null) {
      const gone = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGTERM');
      await Promise.race([gone, sleep(10_000).then(() => this.#child.kill('SIGKILL'))]);
    }
    for (const port of [...this.#ports, this.#ecg]) port?.close();
    if (this.#log) closeSync(this.#log);
  }

  get logTail() {
    return readFileSync(join(this.folder, 'daemon.log'), 'utf8').slice(-800);
  }

  #config(brokerUrl) {
    return {
      node: this.name,
      stateDir: join(this.folder, 'state'),
      // Told at once and ended at once, so that the straps' alarms follow each other every nine seconds.
      alarms: {
        'extreme-bradycardia': { clearMs: 0, hysteresisBpm: 0 },
        storm: { withinMs: 0 },
        // A line that a busy machine brings late is no hole in the data, which would rightly break the count.
        signal: { staleMs: 10_000 },
      },
      // A busy machine must not kill hosts by itself: the rounds are ours.
      inference: { deadlineMs: DEADLINE_MS, startTimeoutMs: 120_000 },
      sensors: [
        ...this.#ports.map((port, i) => ({
          name: `strap${i}`,
          format: 'generic-text',
          link: { type: 'serial', path: port.path },
        })),
        { name: 'ecg', format: 'ad8232', rateHz: RATE_HZ, link: { type: 'serial', path: this.#ecg.path } },
      ],
      mqtt: { url: brokerUrl },
      http: { port: this.http },
      log: { level: 'warn' },
    };
  }

  async #startDaemon() {
    this.#log = openSync(join(this.folder, 'daemon.log'), 'a');
    const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
    const config = join(this.folder, 'slothd.yaml');
    this.#child = spawn(process.execPath, [main, 'run', '-c', config], { stdio: ['ignore', this.#log, this.#log] });
    const fromMs = performance.now();
    while (!(await this.isReady())) {
      if (this.exit !== null || performance.now() - fromMs > START_MS)
        throw new Error(`${this.name} did not get ready: ${this.logTail}`);
      await sleep(100);
    }
  }

  #play(scenario, seed) {
    this.#stopEcg();
    const heart = new SimulatedSensor({
      scenario,
      format: findFormat('ad8232'),
      options: { rateHz: RATE_HZ },
      seed,
      write: (bytes) => this.#ecg.write(bytes),
    });
    heart.start();
    this.#stopEcg = () => heart.stop();
  }

  async #playStraps(seconds) {
    const schedule = rrLines(STRAPS, seconds)
      .flatMap((writes, strap) => writes.map((write) => ({ ...write, strap })))
      .sort((a, b) => a.dueMs - b.dueMs);
    const beginMs = performance.now();
    for (const { dueMs, bytes, event, strap } of schedule) {
      if (!this.#playing && !this.#open.includes(true) && this.#alarmed.size === STRAPS) return;
      await sleep(Math.max(0, dueMs - (performance.now() - beginMs)));
      if (event) {
        this.#open[strap] = event === 'new';
        this.#alarmed.add(strap);
        // Noted before the write: the answer may be here before the write returns.
        this.expected[strap].push({ event, writtenMs: performance.now() });
      }
      this.#ports[strap].write(bytes);
      this.written[strap]++;
    }
  }
}
