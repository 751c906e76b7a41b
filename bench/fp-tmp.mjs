// What slothd costs a machine: memory, CPU, time to ready, disk writes, sizes. Usage: npm run bench:footprint -- [--seconds 60] [--idle 30]
// Simulated ECG at 250 Hz through virtual ports into `slothd run`; daemon and model host are measured from /proc.
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Aedes } from 'aedes';
import { findFormat } from '../dist/sensor/formats/registry.js';
import { builtInScenario } from '../dist/simulator/scenario.js';
import { SimulatedSensor } from '../dist/simulator/sensor.js';
import { VirtualPort } from '../dist/simulator/virtual-port.js';
import { footprintRows, sizeRows } from './lib/footprint-rows.mjs';
import { childrenOf, cpuSeconds, pssBytes, writtenBytes } from './lib/processes.mjs';
import { save, table } from './lib/report.mjs';

const { values: options } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, idle: { type: 'string', default: '30' } },
});
const top = fileURLToPath(new URL('../', import.meta.url));
const format = findFormat('ad8232');
const formatOptions = { rateHz: 250 };

// A Node of its own, as in the Debian packages: PSS would else be the smaller, the more programs run this machine's Node,
// this one among them.
const nodeFolder = mkdtempSync(join(tmpdir(), 'slothd-footprint-node-'));
const node = join(nodeFolder, 'node');
copyFileSync(process.execPath, node);

const broker = await startBroker();
const idle = await measure(64, 200, true); console.log(JSON.stringify(idle)); process.exit(0);


await broker.close();
rmSync(nodeFolder, { recursive: true, force: true });
const sizes = { ...packages(), npmTarball: npmTarball() };

table(
  ['', '1 sensor, silent', '1 sensor', '8 sensors'],
  [
    ...footprintRows([idle, one, eight]),
    // Of this stretch and its many alerts; a day's are what `npm run bench:disk` is for.
    ['disk writes in the stretch, MB', ...[idle, one, eight].map(({ diskBytes }) => (diskBytes / 1e6).toFixed(1))],
  ],
);
console.log();
table(['package', 'MB'], sizeRows(sizes));

process.exit(0);

/** One life of the daemon with that many hearts; memory and CPU over the stretch after it is ready. */
async function measure(sensors, seconds, beating) {
  const folder = mkdtempSync(join(tmpdir(), 'slothd-footprint-'));
  const ports = [];
  for (let i = 0; i < sensors; i++) ports.push(await VirtualPort.open({ link: join(folder, `sensor${i}`) }));
  const file = join(folder, 'slothd.yaml');
  const config = {
    node: 'bench',
    stateDir: join(folder, 'state'),
    sensors: ports.map(({ path }, i) => ({
      name: `s${i}`,
      format: format.id,
      options: formatOptions,
      link: { type: 'serial', path },
    })),
    mqtt: { url: broker.url },
    http: { port: 0 },
  };
  writeFileSync(file, JSON.stringify(config));
  const began = performance.now();
  const daemon = spawn(node, [join(top, 'dist/main.js'), 'run', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // As systemd/package/slothd.sh starts it.
    env: { MALLOC_ARENA_MAX: '1', ...process.env },
  });
  let log = '';
  daemon.stdout.on('data', (chunk) => {
    log += chunk;
  });
  const told = async (text) => {
    while (!log.includes(text)) {
      if (performance.now() - began > 120_000) throw new Error(`the daemon never said ${text}: ${log.slice(-500)}`);
      await sleep(2);
    }
    return performance.now() - began;
  };
  const runningMs = await told('"msg":"running"');
  const readyMs = Math.max(runningMs, await told('"msg":"inference ready"'));
  const hearts = beating
    ? ports.map(
        (port, i) =>
          new SimulatedSensor({
            scenario: builtInScenario('demo'),
            format,
            options: formatOptions,
            seed: i + 1,
            write: (bytes) => port.write(bytes),
          }),
      )
    : [];
  for (const heart of hearts) heart.start();
  // Code is compiled and caches fill in the first seconds; a daemon that runs for years is not judged by them.
  await sleep(Math.min(10_000, (seconds * 1000) / 3));
  const [host] = childrenOf(daemon.pid);
  const at = () => ({
    cpu: cpuSeconds(daemon.pid) + cpuSeconds(host),
    written: writtenBytes(daemon.pid),
    ms: performance.now(),
  });
  const from = at();
  await sleep(seconds * 1000);
  const to = at();
  const tookS = (to.ms - from.ms) / 1000;
  const result = {
    daemonPss: pssBytes(daemon.pid),
    hostPss: pssBytes(host),
    cpuShare: (to.cpu - from.cpu) / tookS,
    runningMs,
    readyMs,
    diskBytes: to.written - from.written,
  };
  for (const heart of hearts) heart.stop();
  const gone = new Promise((resolve) => daemon.once('exit', resolve));
  daemon.kill('SIGTERM');
  await gone;
  for (const port of ports) await port.close();
  rmSync(folder, { recursive: true, force: true });
  return result;
}

async function startBroker() {
  const aedes = await Aedes.createBroker();
  const server = createServer((socket) => aedes.handle(socket));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `mqtt://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => aedes.close(() => server.close(resolve))),
  };
}

/** Sizes of the Debian packages built last; null where there is none. */
function packages() {
  const folder = join(top, '.cache/package');
  const found = existsSync(folder) ? readdirSync(folder) : [];
  const size = (arch) => {
    const name = found
      .filter((file) => file.endsWith(`_${arch}.deb`))
      .sort()
      .at(-1);
    return name ? statSync(join(folder, name)).size : null;
  };
  return { 'deb amd64': size('amd64'), 'deb arm64': size('arm64') };
}

/** What `npm pack` makes, without its dependencies. */
function npmTarball() {
  const [{ size }] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: top,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  return size;
}
