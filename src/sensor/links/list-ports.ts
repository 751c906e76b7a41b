import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { SerialPort } from 'serialport';

export interface PortListing {
  /** The path to put into a config: by-id where there is one, else by-path, else the device itself. */
  readonly stablePath: string;
  readonly path: string;
  /** Maker, product and serial number, as far as known. */
  readonly about: string;
}

/** Names that serial ports have on Linux; ttyS ports are mostly empty sockets of the chipset and are left out. */
const PORT_NAMES = /^(ttyUSB|ttyACM|ttyAMA|ttyO|ttyXRUSB|ttyMFD|ttyWCH|rfcomm|serial)\d+$/;

/** Serial ports of this machine. Works without udev too: then from the names in /dev alone. */
export async function listPorts(): Promise<PortListing[]> {
  const stable = new Map<string, string>();
  for (const folder of ['/dev/serial/by-path', '/dev/serial/by-id']) {
    for (const name of await names(folder)) {
      const link = join(folder, name);
      const target = await realpath(link).catch(() => null);
      if (target) stable.set(target, link);
    }
  }
  const known = await SerialPort.list().catch(() => []);
  const about = new Map(
    known.map((port) => [
      port.path,
      [port.manufacturer, port.vendorId && `${port.vendorId}:${port.productId}`, port.serialNumber]
        .filter(Boolean)
        .join(' '),
    ]),
  );
  const paths = new Set([
    ...stable.keys(),
    ...known.map((port) => port.path).filter((path) => PORT_NAMES.test(path.replace('/dev/', ''))),
    ...(await names('/dev')).filter((name) => PORT_NAMES.test(name)).map((name) => `/dev/${name}`),
  ]);
  return [...paths]
    .sort()
    .map((path) => ({ stablePath: stable.get(path) ?? path, path, about: about.get(path) ?? '' }));
}

function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
