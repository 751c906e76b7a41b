// Writes docs/benchmarks.md and its pictures from the committed results in bench/results. Usage: npm run bench:page
import { mkdirSync, writeFileSync } from 'node:fs';
import { footprintRows, sizeRows } from './lib/footprint-rows.mjs';
import { load } from './lib/report.mjs';
import { logBars } from './lib/svg.mjs';

const docs = new URL('../docs/', import.meta.url);
mkdirSync(new URL('images/', docs), { recursive: true });
const sections = [wire, capacity, beats, inference, outbox, fleet, footprint, lab];

const page = [
  '# Benchmarks',
  '',
  'Made by `npm run bench:page` out of the JSON in [bench/results](../bench/results); each section names the command that',
  'measures it anew, `npm run bench` runs them all. Take ratios rather than times: the machine is named with each table. Peers are',
  'installed by `node bench/peers/setup.mjs` and are no part of slothd; a peer that is missing is left out, and said so.',
  '',
];
for (const section of sections) {
  const lines = section();
  if (lines) page.push(...lines, '');
}
writeFileSync(new URL('benchmarks.md', docs), `${page.join('\n').trimEnd()}\n`);
console.log('docs/benchmarks.md');

function wire() {
  const result = load('wire');
  if (!result) return null;
  const out = [
    '## Wire to alert',
    '',
    'The same bytes in real time through virtual serial ports into each system, alerts to mosquitto at QoS 1, one',
  ];
  out.push(
    'subscriber. From the write of the last byte that caused an alert to its receipt, ms. `echo` reads the port, applies the rule and',
  );
  out.push(
    'publishes, nothing else: it is the floor of the measurement. The Python pipeline (pyserial, sleepecg, onnxruntime, paho-mqtt) and',
  );
  out.push(
    'the Node-RED flow run the same float model and rule, but keep nothing on disk, judge no signal and feed the model zeros for its',
  );
  out.push(
    'computed features. Only new alerts count. RR lines: the line that must cause one is known. ECG: the newest chunk before the receipt counts as',
  );
  out.push(
    "the cause, which flatters a system that lags: chunks come every 40 ms, and no figure can be far above that (slothd's own of the bytes",
    'that caused an alert is printed by the command). CPU counts the whole run, the compilers that warm up in it too, so short',
    `runs make it large for slothd and Node-RED; rounds of ${result.rows[0].seconds} s. \`npm run bench:wire\``,
    '(`-- --busy` with every core busy).',
    '',
  );
  out.push(named(result), '');
  // Of a file in which not all rows are of one run.
  if (result.note) out.push(result.note, '');
  for (const busy of [false, true]) {
    for (const signal of ['rr', 'ecg']) {
      const rows = result.rows.filter((row) => row.signal === signal && row.busy === busy);
      if (rows.length === 0) continue;
      out.push(`### ${signal === 'rr' ? 'RR lines' : 'ECG at 250 Hz'}${busy ? ', every core busy' : ''}`, '');
      out.push(
        ...table(
          [
            'sensors',
            'system',
            'p50',
            'p99',
            'max',
            'p99 of rounds',
            'events',
            'missed',
            'CPU s per sensor-hour',
            'PSS MiB',
            'ready ms',
          ],
          rows.map((row) => [
            row.sensors,
            row.system,
            row.p50Ms,
            row.p99Ms,
            row.maxMs,
            row.p99OfRoundsMs.join(' to '),
            row.events,
            row.missed,
            row.cpuSecondsPerSensorHour,
            row.pssMiB,
            row.readyMs,
          ]),
        ),
        '',
      );
      const sizes = [...new Set(rows.map((row) => row.sensors))];
      const file = `images/bench-wire-${signal}${busy ? '-busy' : ''}.svg`;
      const groups = sizes.map((size) => ({
        name: `${size} sensor${size > 1 ? 's' : ''}`,
        bars: rows.filter((row) => row.sensors === size).map((row) => ({ name: row.system, value: row.p99Ms })),
      }));
      writeFileSync(new URL(file, docs), logBars({ title: 'Wire to alert, p99', unit: 'ms', groups }));
      out.push(`![p99 by system and number of sensors](${file})`, '');
    }
  }
  out.push('### What was aimed at, and what came of it', '', ...aims(result.rows), '', ...tried());
  return out;
}

/** Kept by hand: what profiles of the missed aims showed, and what was done. */
function tried() {
  return [
    'Why the missed ones are missed, by profile (`node --cpu-prof`, and the stages the daemon itself measures):',
    '',
    '- **p50 at one sensor.** Of 2.2 ms, 0.5 pass until the process wakes, 0.6 in code that is still interpreted (an alert is rare, so',
    '  its path stays cold), 0.35 in mqtt.js, 0.5 in the broker and the subscriber; `echo`, which does nothing else, is behind Python',
    "  too. A rehearsal of the alert path at the start, and flags of V8, gained nothing. Nagle's algorithm is off and an alert leaves",
    '  before the store and the books have their turn; both gained much.',
    '- **p99.** What stands before an alert is other work of the same thread. Sensors go round in turns of at most eight now, an alert',
    '  writes four entries to the store instead of 36 (what did not change was deleted anew each time), and the state for the flight',
    '  recorder (2 to 5 ms) is taken every two minutes. Collections of garbage are left: short ones of about a ms twenty times a',
    '  second at 64 ECG sensors, long ones of about 10 ms every five seconds. A larger young heap made the short ones rarer and five',
    "  times longer; room for the old one made the long ones a little rarer. slothd's own share is in the last line of the command.",
    '- **CPU at few sensors.** Two processes with their clocks, health and metrics cost about 1 % of a core with no data at all',
    '  ([footprint](#footprint)), and short runs are mostly compilers. With more sensors it is shared.',
  ];
}

/** Our aims against the rows, losses as plainly as wins. */
function aims(rows) {
  const line = ['signal', 'sensors', 'neighbour', 'aim', 'slothd', 'beside', 'reached'];
  const found = [];
  for (const own of rows.filter(({ system }) => system === 'slothd')) {
    const of = (system) =>
      rows.find(
        (row) =>
          row.system === system && row.signal === own.signal && row.sensors === own.sensors && row.busy === own.busy,
      );
    const [python, nodeRed] = [of('python'), of('node-red')];
    const place = [own.signal === 'rr' ? 'RR' : 'ECG', own.sensors, own.busy ? 'every core busy' : 'none'];
    const say = (aim, value, beside, reached) => found.push([...place, aim, value, beside, reached ? 'yes' : 'no']);
    say('p99 below 5 ms', own.p99Ms, '-', own.p99Ms < 5);
    if (!python || !nodeRed) continue;
    const least = (key) => Math.min(python[key], nodeRed[key]);
    const both = (key) => `Python ${python[key]}, Node-RED ${nodeRed[key]}`;
    if (own.sensors === 64) say('p99 a quarter of both', own.p99Ms, both('p99Ms'), own.p99Ms * 4 <= least('p99Ms'));
    if (own.sensors === 1) say("p50 no worse than Python's", own.p50Ms, python.p50Ms, own.p50Ms <= python.p50Ms);
    const cpu = 'cpuSecondsPerSensorHour';
    say('less CPU than both', own[cpu], both(cpu), own[cpu] < least(cpu));
    say("memory below Node-RED's", own.pssMiB, nodeRed.pssMiB, own.pssMiB < nodeRed.pssMiB);
  }
  return table(line, found);
}

function capacity() {
  const result = load('capacity');
  return (
    result && [
      '## Capacity of one core',
      '',
      'ECG sensors at 250 Hz in one process, in real time: bytes, decoding, beats, quality, model windows, rules. The model runs in a',
      'process of its own in slothd and is not in this figure. A chunk of 10 samples is timed from when it was due. `npm run bench:capacity`',
      '',
      named(result),
      '',
      ...table(
        ['sensors', 'core used %', 'us per sensor-second', 'p50 ms', 'p99 ms', 'max ms', 'RSS MiB'],
        result.rows.map((row) => [
          row.sensors,
          row.corePercent,
          row.usPerSensorSecond,
          row.p50Ms,
          row.p99Ms,
          row.maxMs,
          row.rssMiB,
        ]),
      ),
    ]
  );
}

function beats() {
  const peers = load('beats-peers');
  const ours = load('beats');
  if (!peers || !ours) return null;
  const percent = (value) => (typeof value === 'number' ? (100 * value).toFixed(2) : '-');
  const noise = ['118e24', '118e12', '118e00', '118e_6'];
  const own = ours.crossValidated;
  return [
    '## Beat detection',
    '',
    'MITDB, 48 records, first lead, whole record, gross F1 by EC57 matching; for 50 ms each detector has its own median delay taken',
    'off. NSTDB: the noisy two-minute parts, 150 ms. Peers see the whole signal at once; slothd is causal and was judged by weights that',
    'never saw the record. CPU seconds per record-hour. `npm run bench:beats`, then `npm run bench:beats-peers`',
    '',
    named(peers),
    '',
    ...table(
      ['detector', 'F1 150 ms %', 'F1 50 ms %', 'CPU s/h', 'NSTDB 24 dB', '12 dB', '0 dB', '-6 dB'],
      [
        [
          '**slothd**, cross-validated',
          percent(own.mitdb.f1At150Ms),
          percent(own.mitdb.f1At50Ms),
          own.mitdb.cpuSecondsPerHour.toFixed(3),
          ...Object.values(own.nstdb).map(percent),
        ],
        ...peers.rows.map(({ detector, mitdb, nstdb }) => [
          detector,
          percent(mitdb?.f1At150Ms),
          percent(mitdb?.f1At50Ms),
          mitdb?.cpuSecondsPerHour.toFixed(3) ?? '-',
          ...noise.map((name) => percent(nstdb?.[name])),
        ]),
      ],
    ),
  ];
}

function inference() {
  const result = load('inference');
  if (!result) return null;
  const { rows } = result;
  const out = [
    '## Inference',
    '',
    'One item, one thread: microseconds, p50 / p99. "Question to answer" is what the daemon waits: queue, frames to the host process',
    'and back, and the model. LiteRT runs the same float model converted by TensorFlow (`node bench/peers/setup.mjs --tensorflow`);',
    'tfjs-node the same graph operation by operation. `npm run bench:inference`',
    '',
    named(result),
    '',
  ];
  for (const model of new Set(rows.map((row) => row.model))) {
    const own = rows.filter((row) => row.model === model);
    const variants = [...new Set(own.map(({ variant }) => variant))];
    const cell = (engine, variant) => {
      const row = own.find((one) => one.engine === engine && one.variant === variant);
      return row ? `${row.p50Us} / ${row.p99Us}` : '-';
    };
    const engines = [...new Set(own.map(({ engine }) => engine))];
    out.push(
      ...table(
        [model, ...variants],
        engines.map((engine) => [engine, ...variants.map((variant) => cell(engine, variant))]),
      ),
      '',
    );
  }
  return [...out, ...litert(rows)];
}

/** The common complaint, against the rows. */
function litert(rows) {
  const of = (model, engine, variant) =>
    rows.find((row) => row.model === model && row.engine === engine && row.variant === variant)?.p50Us;
  const [ORT, LITERT, OLD] = ['onnxruntime (Python)', 'LiteRT (Python, XNNPACK)', 'LiteRT (Python, its own kernels)'];
  const models = [...new Set(rows.map(({ model }) => model))].filter((model) => of(model, LITERT, 'fp32'));
  if (models.length === 0) return [];
  const span = (ratio) => {
    const all = models.map(ratio).sort((a, b) => a - b);
    return `${all[0].toFixed(2)} to ${all.at(-1).toFixed(2)}`;
  };
  const toOrt = (engine) => span((model) => of(model, engine, 'fp32') / of(model, ORT, 'fp32'));
  const int8 = (engine) => span((model) => of(model, engine, 'int8') / of(model, engine, 'fp32'));
  return [
    '**"TensorFlow Lite is slow on a PC."** With these models the time of a float32 call in LiteRT is, of that in onnxruntime,',
    `${toOrt(LITERT)} with XNNPACK, as it comes today, and ${toOrt(OLD)} with its own kernels, which is what people`,
    `had. The other half of the complaint, that int8 gains nothing there: int8 takes ${int8(LITERT)} of float32 with XNNPACK,`,
    `${int8(OLD)} without. A call of onnxruntime costs about 20 us before any arithmetic, which is most of it in nets this small.`,
  ];
}

function outbox() {
  const result = load('outbox');
  return (
    result && [
      '## Outbox',
      '',
      `Alerts of ${result.bytesPerAlert} bytes, QoS 1, to mosquitto: ${result.alerts} in a burst, then ${result.perSecond} a second. \`npm run bench:outbox\``,
      'Telegraf 1.37.2 (`socket_listener` to `mqtt`, `buffer_strategy = "disk"`, which it calls experimental) sends a hundred at once or after',
      '10 ms. With `metric_batch_size = 1` it took 1.8 / 3.2 ms, and 57 a second in a burst. `TELEGRAF` names its file; without it the row is skipped.',
      '',
      named(result),
      '',
      ...table(
        [
          'system',
          'alerts/s in a burst',
          'given to received p50 ms',
          'p99 ms',
          'max ms',
          'CPU us per alert',
          'on disk',
        ],
        result.rows.map((row) => [
          row.system,
          row.burstPerSecond,
          row.p50Ms,
          row.p99Ms,
          row.maxMs,
          row.cpuUsPerAlert,
          row.durable,
        ]),
      ),
    ]
  );
}

function fleet() {
  const result = load('fleet');
  return (
    result && [
      '## Fleet',
      '',
      'Three broker nodes, one killed and brought back: see [fleet.md](fleet.md). `npm run bench:fleet`',
    ]
  );
}

function footprint() {
  const result = load('footprint');
  if (!result) return null;
  return [
    '## Footprint',
    '',
    'Daemon and model host, started as the service starts them; ECG at 250 Hz with the many alerts of the demo, over',
    `${result.seconds} s. They run a Node of their own, as from the Debian packages, so no page of its is shared with other programs.`,
    'Bytes written a day: `npm run bench:disk`. This table: `npm run bench:footprint`',
    '',
    named(result),
    '',
    ...table(['', '1 sensor, silent', '1 sensor', '8 sensors'], footprintRows([result.idle, result.one, result.eight])),
    '',
    ...table(['package', 'MB'], sizeRows(result.sizes)),
  ];
}

function lab() {
  return (
    load('lab') && [
      '## Compression',
      '',
      'Pruning and quantization, ours and onnxruntime.quantization: see [lab.md](lab.md). `npm run bench:lab`',
    ]
  );
}

function named({ date, machine }) {
  return `_${date}, ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, ${machine.arch}, Node ${machine.node}._`;
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
