import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SerialPort } from 'serialport';

export interface PortListing {
  /** The path to put into a config: by-id where it is the device's own, else by-path, else the device itself. */
  readonly stablePath: string;
  readonly path: string;
  /** Maker, product and serial number, as far as known. */
  readonly about: string;
}

/** Names that serial ports have on Linux; ttyS ports are mostly empty sockets of the chipset and are left out. */
const PORT_NAMES = /^(ttyUSB|ttyACM|ttyAMA|ttyO|ttyXRUSB|ttyMFD|ttyWCH|rfcomm|serial)\d+$/;

/** Where Linux shows its devices; a test brings its own. */
export interface PortPlaces {
  readonly dev: string;
  readonly sys: string;
}

/** What the kernel knows of a USB converter. */
interface UsbFacts {
  readonly id: string;
  readonly serial: string;
  readonly maker: string;
}

/**
 * Serial ports of this machine. Works without udev and `udevadm`, too: then from the kernel's own files.
 *
 * By-id is preferred, except where two devices have one id and no serial number between them (CH340): they share one
 * by-id name, which may point to the other after the next boot, so they are told apart by the socket they are in.
 */
export async function listPorts(places: PortPlaces = { dev: '/dev', sys: '/sys' }): Promise<PortListing[]> {
  const byPath = await links(join(places.dev, 'serial/by-path'));
  const byId = await links(join(places.dev, 'serial/by-id'));
  const known = places.dev === '/dev' ? (await SerialPort.list().catch(() => [])).map(({ path }) => path) : [];
  const paths = new Set([
    ...byPath.keys(),
    ...byId.keys(),
    ...known.filter((path) => PORT_NAMES.test(path.replace('/dev/', ''))),
    ...(await names(places.dev)).filter((name) => PORT_NAMES.test(name)).map((name) => join(places.dev, name)),
  ]);
  const facts = new Map<string, UsbFacts | null>();
  for (const path of paths) facts.set(path, await usbFacts(places.sys, path));
  const twins = new Map<string, number>();
  for (const usb of facts.values()) if (usb) twins.set(keyOf(usb), (twins.get(keyOf(usb)) ?? 0) + 1);
  return [...paths].sort().map((path) => {
    const usb = facts.get(path) ?? null;
    const hasTwin = usb !== null && (twins.get(keyOf(usb)) ?? 0) > 1;
    const stable = hasTwin ? (byPath.get(path) ?? byId.get(path)) : (byId.get(path) ?? byPath.get(path));
    const about = usb ? [usb.maker, usb.id, usb.serial].filter(Boolean).join(' ') : '';
    return { stablePath: stable ?? path, path, about };
  });
}

function keyOf({ id, serial }: UsbFacts): string {
  return `${id} ${serial}`;
}

/** Device -> link of that folder. */
async function links(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await names(folder)) {
    const link = join(folder, name);
    const target = await realpath(link).catch(() => null);
    if (target) found.set(target, link);
  }
  return found;
}

/** The USB device behind a tty is a few folders up from it: an ACM port's interface is one level nearer than a converter's. */
async function usbFacts(sys: string, path: string): Promise<UsbFacts | null> {
  const device = await realpath(join(sys, 'class/tty', basename(path), 'device')).catch(() => null);
  if (!device) return null;
  for (let folder = device, up = 0; up < 4; folder = dirname(folder), up++) {
    const read = (name: string) =>
      readFile(join(folder, name), 'utf8')
        .then((text) => text.trim())
        .catch(() => '');
    const vendor = await read('idVendor');
    if (!vendor) continue;
    const maker = [await read('manufacturer'), await read('product')].filter(Boolean).join(' ');
    return { id: `${vendor}:${await read('idProduct')}`, serial: await read('serial'), maker };
  }
  return null;
}

function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
