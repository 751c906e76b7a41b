// Writes to a store whose disk is full for a while: the limit on file sizes stands for it, which needs no root. Prints what
// was told to be on the disk and dies without a goodbye.
import { execFileSync } from 'node:child_process';
import { openLevelStore } from '../../../dist/daemon/level-store.js';

const [dir, from, size] = process.argv.slice(2);
const none = () => undefined;
const store = await openLevelStore(dir, { info: none, warn: none, error: none });
const limit = (bytes) => execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);
const stored = [];
let refused = 0;
async function put(n, length) {
  try {
    await store.batch([{ key: `k/${String(n).padStart(4, '0')}`, value: String(n % 10).repeat(length) }]);
    stored.push(n);
  } catch {
    refused++;
  }
}
for (let n = 0; n < 5; n++) await put(n, 1000);
limit(from);
for (let n = 5; n < 20; n++) await put(n, Number(size));
limit('unlimited');
for (let n = 20; n < 40; n++) await put(n, 1000);
console.log(JSON.stringify({ stored, refused }));
process.kill(process.pid, 'SIGKILL');
