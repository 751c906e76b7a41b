// Free loopback ports.
import { createServer } from 'node:net';

/** A TCP port that nobody listens on just now. @returns a promise of its number */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
      .on('error', reject)
      .listen(0, '127.0.0.1', () => {
        const { port } = probe.address();
        probe.close(() => resolve(port));
      });
  });
}
