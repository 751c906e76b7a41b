// The floor of the measurement: reads the ports with nothing but a terminal's stream, applies the rule to the line, publishes.
// No decoder, no detector, no model, no store: what is left is the pty, the broker and the harness itself.
import { constants, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import mqtt from 'mqtt';

const { ports, brokerPort, signal, pauseMs = 1500 } = JSON.parse(process.env.PIPELINE ?? '{}');
const ROOT = 'echo/bench';
const LIMIT_RR_MS = 1500;
const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { clientId: 'echo-bench' });

for (const [i, path] of ports.entries()) {
  const recent = [];
  let open = false;
  let rest = '';
  let low = 0;
  const tell = (event, kind) =>
    client.publish(`${ROOT}/s${i}/alert`, JSON.stringify({ id: `s${i}-${kind}`, event, kind }), { qos: 1 });
  // Not a file's stream: that waits in libuv's four threads, and the fifth silent port would stand behind the other four.
  const fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  new ReadStream(fd).on('data', (chunk) => {
    const lines = (rest + chunk.toString('latin1')).split('\r\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (signal === 'rr') {
        recent.push(Number(line.slice(3)));
        if (recent.length > 4) recent.shift();
        const slow = recent.length === 4 && recent.reduce((a, b) => a + b, 0) / 4 > LIMIT_RR_MS;
        if (slow === open) continue;
        open = slow;
        tell(slow ? 'new' : 'end', 'extreme-bradycardia');
      } else {
        // No detector here: a long stretch below a fixed level is enough to make messages at about the same rate.
        low = Number(line) < 560 ? low + 4 : 0;
        if (low === Math.round(pauseMs / 4) * 4) tell('new', 'pause');
      }
    }
  });
}
await client.publishAsync(`${ROOT}/ready`, '1', { qos: 1, retain: true });
process.on('SIGTERM', () => process.exit(0));
