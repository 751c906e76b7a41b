import fs from 'node:fs';
import net from 'node:net';
import type { SerialSettings } from '../domain/reading.js';
import { VirtualPort } from './virtual-port.js';

/** Where a simulated sensor's bytes go. */
export interface Output {
  /** Where a person or slothd finds the sensor, such as `/tmp/slothd-sim0` or `127.0.0.1:4000`. */
  readonly place: string;
  /** The `link:` of a sensor in slothd's configuration that reads it, one line of YAML; null where there is none. */
  readonly link: string | null;
  write(bytes: Uint8Array): void;
  close(): Promise<void>;
}

/** A receiver slower than this many bytes behind loses what comes next, as a UART would. */
const MOST_BEHIND = 65_536;

/** A virtual serial port; `link` is its stable name. */
export async function openVirtual(link: string | undefined): Promise<Output> {
  const port = await VirtualPort.open(link === undefined ? {} : { link });
  return {
    place: link === undefined ? port.path : `${port.path} (${port.devicePath})`,
    link: `{ type: serial, path: ${port.path} }`,
    write: (bytes) => port.write(bytes),
    close: async () => port.close(),
  };
}

/** A real serial port, for a cable to the machine under test. `onLost` is called when the port goes away. */
export async function openSerial(path: string, serial: SerialSettings, onLost: () => void): Promise<Output> {
  const { SerialPort } = await import('serialport');
  const port = new SerialPort({ path, ...serial, autoOpen: false });
  port.on('error', () => {});
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  port.on('close', (error: Error | null) => {
    if (error) onLost();
  });
  return {
    place: path,
    link: null,
    write: (bytes) => {
      if (port.isOpen && port.writableLength < MOST_BEHIND) port.write(bytes);
    },
    close: () =>
      new Promise((resolve) => {
        if (port.isOpen) port.close(() => resolve());
        else resolve();
      }),
  };
}

/** A TCP server that sends the bytes to everyone who connects, as ser2net does. Port 0 takes a free one. */
export async function openTcp(host: string, tcpPort: number): Promise<Output & { readonly port: number }> {
  const clients = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    clients.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => clients.delete(socket));
    // Commands of the host are read and ignored, else they would fill the socket.
    socket.resume();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(tcpPort, host, resolve);
  });
  const { port } = server.address() as net.AddressInfo;
  return {
    place: `tcp ${host}:${port}`,
    port,
    link: `{ type: tcp, host: ${host}, port: ${port} }`,
    write: (bytes) => {
      for (const socket of clients) if (socket.writableLength < MOST_BEHIND) socket.write(bytes);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of clients) socket.destroy();
      }),
  };
}

/** A file of raw bytes, as they would come off the wire. An existing file is replaced. */
export function openFile(path: string): Output {
  const fd = fs.openSync(path, 'w');
  return {
    place: path,
    link: `{ type: recording, file: ${path} }`,
    write: (bytes) => {
      for (let from = 0; from < bytes.length; ) from += fs.writeSync(fd, bytes, from);
    },
    close: async () => fs.closeSync(fd),
  };
}
