// The guard against getting slower: measures some ratios anew and compares them with the committed ones. Ratios, because
// absolute times are the machine's. Fails on more than 25 %, three times in a row. Usage: npm run bench:check
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { load } from './lib/report.mjs';

const WORSE = 1.25;
/** A ratio that is worse is measured again so often: a machine has its moods, what got slower stays slower. */
const TRIES = 3;
const keep = (name) => {
  const file = new URL(`./results/${name}.json`, import.meta.url);
  const text = readFileSync(file);
  return () => writeFileSync(file, text);
};
const run = (script, ...args) => {
  const { status } = spawnSync(process.execPath, [new URL(script, import.meta.url).pathname, ...args], {
    stdio: 'inherit',
  });
  // Not an exit: what was measured so far is put back first.
  if (status !== 0) throw new Error(`${script} failed`);
};

/** Each: the result file, how to measure it anew, and ratios of which smaller is better. */
const GUARDS = [
  {
    name: 'wire',
    measure: () =>
      run(
        './wire.mjs',
        '--systems',
        'slothd,echo',
        '--signals',
        'rr',
        '--sensors',
        '8',
        '--seconds',
        '40',
        '--rounds',
        '2',
      ),
    ratios({ rows }) {
      const of = (system) =>
        rows.find((row) => row.system === system && row.signal === 'rr' && row.sensors === 8 && !row.busy);
      return { 'wire to alert, p50, slothd / floor': of('slothd').p50Ms / of('echo').p50Ms };
    },
  },
  {
    name: 'capacity',
    measure: () => run('./capacity.mjs', '--sensors', '1,100', '--seconds', '10'),
    ratios({ rows }) {
      const of = (sensors) => rows.find((row) => row.sensors === sensors)?.usPerSensorSecond;
      return { 'cost of a sensor among 100 / alone': of(100) / of(1) };
    },
  },
  {
    name: 'inference',
    measure: () => run('./inference.mjs', '--seconds', '2', '--models', 'beat-ecg', '--no-peers'),
    ratios({ rows }) {
      const of = (engine) =>
        rows.find((row) => row.model === 'beat-ecg' && row.variant === 'pruned-int8' && row.engine === engine).p50Us;
      return {
        'answer of the host / model in this process':
          of('slothd host, native, question to answer') / of('onnxruntime-node, in process'),
      };
    },
  },
];

let failed = 0;
for (const { name, measure, ratios } of GUARDS) {
  const before = load(name);
  if (!before) {
    console.log(`${name}: no committed result, skipped`);
    continue;
  }
  const then = ratios(before);
  const restore = keep(name);
  try {
    /** The best of what was measured; what is still worse asks for another try. */
    const best = {};
    const worse = () => Object.keys(best).filter((what) => !(best[what] <= then[what] * WORSE));
    for (let tried = 0; tried < TRIES && (tried === 0 || worse().length > 0); tried++) {
      measure();
      for (const [what, value] of Object.entries(ratios(load(name)))) best[what] = Math.min(best[what] ?? value, value);
      restore();
    }
    failed += worse().length;
    for (const [what, value] of Object.entries(best)) {
      const says = worse().includes(what) ? 'WORSE' : 'ok';
      console.log(`${says}  ${what}: ${value.toFixed(2)}, committed ${then[what].toFixed(2)}`);
    }
  } catch (error) {
    failed++;
    console.log(`WORSE  ${name} could not be measured: ${error.message}`);
  } finally {
    restore();
  }
}
process.exit(failed > 0 ? 1 : 0);
