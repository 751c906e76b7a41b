#!/usr/bin/env node
// A worker that shares the alerts of the fleet with others of its kind: each alert goes to one of them. MQTT 3.1.1 has no
// shared subscriptions (`$share/...` is MQTT 5), so this speaks NATS' own protocol, where a subscription with a queue name
// is shared: https://docs.nats.io/reference/reference-protocols/nats-protocol
//
//   node queue-worker.mjs nats://collector:PASSWORD@HOST:4222 [QUEUE]
//
// What it prints is one JSON alert a line. A queue of core NATS delivers at most once: a worker that dies with an alert in
// its hands loses it. Keep one collector with a persistent MQTT session beside it (docs/fleet.md) where none may be lost.
import net from 'node:net';

const [url, queue = 'alerts'] = process.argv.slice(2);
if (!url) {
  console.error('usage: node queue-worker.mjs nats://USER:PASSWORD@HOST:PORT [QUEUE]');
  process.exit(1);
}
const { hostname, port, username, password } = new URL(url);
const subject = 'slothd.*.*.alert';

function connect() {
  const socket = net.connect(Number(port || 4222), hostname);
  let buffered = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const end = buffered.indexOf('\r\n');
      if (end < 0) return;
      const line = buffered.subarray(0, end).toString();
      let used = end + 2;
      if (line.startsWith('MSG ')) {
        const bytes = Number(line.split(' ').at(-1));
        if (buffered.length < used + bytes + 2) return;
        process.stdout.write(`${buffered.subarray(used, used + bytes)}\n`);
        used += bytes + 2;
      } else if (line === 'PING') {
        socket.write('PONG\r\n');
      } else if (line.startsWith('INFO ')) {
        const hello = { verbose: false, pedantic: false, name: `queue-worker-${process.pid}` };
        socket.write(
          `CONNECT ${JSON.stringify({ ...hello, user: decodeURIComponent(username), pass: decodeURIComponent(password) })}\r\n`,
        );
        socket.write(`SUB ${subject} ${queue} 1\r\n`);
      } else if (line.startsWith('-ERR')) {
        console.error(line);
      }
      buffered = buffered.subarray(used);
    }
  });
  socket.on('error', () => undefined);
  socket.on('close', () => setTimeout(connect, 1000));
}
connect();
