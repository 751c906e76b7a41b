import type { ChildProcess } from 'node:child_process';
import { hasMosquitto, startAedes, startMosquitto } from '../../delivery/support/brokers.js';

/** Brokers that a process is killed before, over and over: they must keep for a client what it has not acknowledged. */
export const BROKERS = [
  { name: 'mosquitto', there: hasMosquitto, start: () => startMosquitto('max_queued_messages 0') },
  { name: 'aedes', there: true, start: () => startAedes() },
];

/** Resolves when a process has ended, however it did. */
export const ended = (child: ChildProcess) =>
  new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
