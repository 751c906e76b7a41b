/**
 * The model host: a process of its own, because native code can hang or crash and must not take the daemon along. Entry
 * point of a child process; never imported.
 */
import { Socket } from 'node:net';
import { serveModels } from './serve.js';

const CHANNEL_FD = 3;

// Ctrl-C and systemd signal the whole group; the daemon still needs its model until it has closed the channel.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
serveModels(new Socket({ fd: CHANNEL_FD, readable: true, writable: true }), (code) => process.exit(code));

// A host that was started early uses its time; whether the runtime is any good is told by the load that follows.
const [, , preload] = process.argv;
if (preload) void import(preload).catch(() => {});
