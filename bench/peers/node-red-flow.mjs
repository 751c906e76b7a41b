// The same work as a Node-RED user would wire it: serial in -> function -> mqtt out, one row per sensor, the model called
// from the function node through onnxruntime-node (a helper in Node-RED's `functionGlobalContext`, because a function
// node's own typed arrays are of another realm). It does less than slothd, as pipeline.py does.

const RR_CODE = `
const line = msg.payload.toString().trim();
if (!line.startsWith('RR=')) return null;
const s = context.get('s') ?? { rr: [], open: false, n: 0 };
context.set('s', s);
s.rr.push(Number(line.slice(3)));
if (s.rr.length > 60) s.rr.shift();
s.n++;
if (s.rr.length === 60 && s.n % 5 === 0) {
  const sorted = [...s.rr].sort((a, b) => a - b);
  const med = (sorted[29] + sorted[30]) / 2;
  const x = new Float32Array(180);
  for (let i = 0; i < 60; i++) {
    x[3 * i] = 4 * Math.max(-1.2, Math.min(1.2, Math.log(s.rr[i] / med)));
    x[3 * i + 1] = i === 0 ? 0 : 4 * Math.max(-1, Math.min(1, (s.rr[i] - s.rr[i - 1]) / med));
    x[3 * i + 2] = 2 * Math.log(med / 800);
  }
  await infer(Array.from(x), [1, 60, 3]);
}
if (s.rr.length < 4) return null;
const slow = s.rr.slice(-4).reduce((a, b) => a + b, 0) / 4 > 1500;
if (slow === s.open) return null;
s.open = slow;
return { topic: TOPIC, payload: JSON.stringify({ id: TOPIC, event: slow ? 'new' : 'end', kind: 'extreme-bradycardia' }), qos: 1 };
`;

// A detector as one finds it in such flows: squared slope against a decaying peak level, 250 ms refractory.
const ECG_CODE = `
const value = Number(msg.payload.toString());
if (!Number.isFinite(value)) return null;
const s = context.get('s') ?? { x: new Float32Array(250), n: 0, level: 0, last: -1, open: false, peak: 0, at: -1 };
context.set('s', s);
const slope = value - s.x[(s.n + 250 - 4) % 250];
s.x[s.n % 250] = value;
s.n++;
const energy = slope * slope;
s.level = Math.max(s.level * 0.9985, energy);
let beat = -1;
if (energy > 0.35 * s.level && s.n - s.last > 62) { if (energy > s.peak) { s.peak = energy; s.at = s.n; } }
if (s.at > 0 && s.n - s.at > 25) { beat = s.at; s.at = -1; s.peak = 0; }
if (beat < 0) return null;
const rrMs = s.last < 0 ? 0 : (beat - s.last) * 4;
s.last = beat;
const window = new Float32Array(256);
for (let i = 0; i < 128; i++) window[2 * i] = window[2 * i + 1] = s.x[(s.n + i + 61) % 250] - value;
await infer(Array.from(window), [1, 128, 2]);
const pause = rrMs > PAUSE_MS;
if (pause === s.open) return null;
s.open = pause;
return { topic: TOPIC, payload: JSON.stringify({ id: TOPIC, event: pause ? 'new' : 'end', kind: 'pause' }), qos: 1 };
`;

/** Settings of Node-RED: no editor, and the helper that runs the model; its second input, `features` long, gets zeros. */
export function nodeRedSettings({ model, features, ortFolder }) {
  return `const ort = require(${JSON.stringify(ortFolder)});
const session = ort.InferenceSession.create(${JSON.stringify(model)}, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const infer = async (x, dims) => {
  const [a, b] = (await session).inputNames;
  const rest = new ort.Tensor('float32', new Float32Array(${features}), [1, ${features}]);
  return (await session).run({ [a]: new ort.Tensor('float32', Float32Array.from(x), dims), [b]: rest });
};
module.exports = { flowFile: 'flows.json', uiPort: 0, uiHost: '127.0.0.1', httpAdminRoot: false, httpNodeRoot: false,
  credentialSecret: 'bench', logging: { console: { level: 'warn' } }, functionGlobalContext: { infer } };
`;
}

/** @returns the flow file of Node-RED for these ports */
export function nodeRedFlow({ ports, brokerPort, signal, pauseMs }) {
  const code = signal === 'rr' ? RR_CODE : ECG_CODE;
  const nodes = [
    { id: 'tab', type: 'tab', label: 'bench' },
    {
      id: 'broker',
      type: 'mqtt-broker',
      broker: '127.0.0.1',
      port: String(brokerPort),
      clientid: 'node-red-bench',
      protocolVersion: '5',
      keepalive: '60',
      cleansession: true,
      birthTopic: 'node-red/bench/ready',
      birthQos: '1',
      birthRetain: 'true',
      birthPayload: '1',
    },
    { id: 'out', type: 'mqtt out', z: 'tab', topic: '', qos: '1', retain: '', broker: 'broker', wires: [] },
  ];
  ports.forEach((path, i) => {
    nodes.push(
      {
        id: `port${i}`,
        type: 'serial-port',
        serialport: path,
        serialbaud: '115200',
        databits: '8',
        parity: 'none',
        stopbits: '1',
        newline: '\\n',
        bin: 'false',
        out: 'char',
        waitfor: '',
        dtr: 'none',
        rts: 'none',
        cts: 'none',
        dsr: 'none',
        addchar: '',
        responsetimeout: '10000',
      },
      { id: `in${i}`, type: 'serial in', z: 'tab', serial: `port${i}`, wires: [[`f${i}`]] },
      {
        id: `f${i}`,
        type: 'function',
        z: 'tab',
        func: `const TOPIC = 'node-red/bench/s${i}/alert';\nconst PAUSE_MS = ${pauseMs};\nconst infer = global.get('infer');\n${code}`,
        outputs: 1,
        wires: [['out']],
      },
    );
  });
  return nodes;
}
