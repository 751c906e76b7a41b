import { openTcp } from '../../simulator/outputs.js';
import { VirtualPort } from '../../simulator/virtual-port.js';

/** Where the demo's heart is plugged in. */
export interface DemoPort {
  /** For a person. */
  readonly place: string;
  /** The `link` of slothd's config that reads it. */
  readonly link: Readonly<Record<string, unknown>>;
  /** Why it is not a serial port; empty where it is one. */
  readonly note: string;
  write(bytes: Uint8Array): void;
  close(): Promise<void>;
}

/** A virtual serial port, or a loopback TCP port on machines (and installs without optional packages) that have none. */
export async function openDemoPort(): Promise<DemoPort> {
  try {
    const port = await VirtualPort.open();
    return {
      place: port.path,
      link: { type: 'serial', path: port.path },
      note: '',
      write: (bytes) => port.write(bytes),
      close: async () => port.close(),
    };
  } catch (error) {
    const { place, port, write, close } = await openTcp('127.0.0.1', 0);
    const note = (error as Error).message.split('\n')[0] as string;
    return { place, link: { type: 'tcp', host: '127.0.0.1', port }, note, write, close };
  }
}
