import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchPorts } from '../../../src/cli/ports.js';
import { listPorts } from '../../../src/sensor/links/list-ports.js';

let root: string;
let places: { dev: string; sys: string };

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'slothd-ports-'));
  places = { dev: join(root, 'dev'), sys: join(root, 'sys') };
  await mkdir(join(places.dev, 'serial/by-id'), { recursive: true });
  await mkdir(join(places.dev, 'serial/by-path'), { recursive: true });
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** A USB converter as the kernel and udev show it. */
async function plug(tty: string, socket: string, usb: { id: string; serial?: string; product: string; byId?: string }) {
  const device = join(places.sys, 'devices', socket);
  const port = join(device, `${socket}:1.0`, tty);
  await mkdir(port, { recursive: true });
  await mkdir(join(places.sys, 'class/tty', tty), { recursive: true });
  await symlink(port, join(places.sys, 'class/tty', tty, 'device'));
  const [vendor, product] = usb.id.split(':');
  await writeFile(join(device, 'idVendor'), `${vendor}\n`);
  await writeFile(join(device, 'idProduct'), `${product}\n`);
  await writeFile(join(device, 'product'), `${usb.product}\n`);
  if (usb.serial) await writeFile(join(device, 'serial'), `${usb.serial}\n`);
  await writeFile(join(places.dev, tty), '');
  await symlink(join(places.dev, tty), join(places.dev, 'serial/by-path', `pci-usb-${socket}`));
  if (usb.byId) await symlink(join(places.dev, tty), join(places.dev, 'serial/by-id', usb.byId));
}

describe('listPorts', () => {
  it('names a converter by its id, with what the kernel knows of it', async () => {
    await plug('ttyUSB0', '1-1', { id: '0403:6001', serial: 'A1', product: 'FT232R', byId: 'usb-FTDI_A1-if00' });
    expect(await listPorts(places)).toEqual([
      {
        stablePath: join(places.dev, 'serial/by-id/usb-FTDI_A1-if00'),
        path: join(places.dev, 'ttyUSB0'),
        about: 'FT232R 0403:6001 A1',
      },
    ]);
  });

  it('tells two converters without serial number apart by their sockets, also the one that owns the shared id', async () => {
    await plug('ttyUSB0', '1-1', { id: '1a86:7523', product: 'USB Serial' });
    await plug('ttyUSB1', '1-2', { id: '1a86:7523', product: 'USB Serial', byId: 'usb-1a86_USB_Serial-if00' });
    const stable = (await listPorts(places)).map(({ stablePath }) => stablePath);
    expect(stable).toEqual(['pci-usb-1-1', 'pci-usb-1-2'].map((name) => join(places.dev, 'serial/by-path', name)));
  });

  it('two of one kind with serial numbers keep their ids', async () => {
    await plug('ttyUSB0', '1-1', { id: '0403:6001', serial: 'A1', product: 'FT232R', byId: 'usb-A1' });
    await plug('ttyUSB1', '1-2', { id: '0403:6001', serial: 'B2', product: 'FT232R', byId: 'usb-B2' });
    const stable = (await listPorts(places)).map(({ stablePath }) => stablePath);
    expect(stable).toEqual(['usb-A1', 'usb-B2'].map((name) => join(places.dev, 'serial/by-id', name)));
  });

  it('lists a port that only /dev knows (no udev, no sysfs)', async () => {
    await writeFile(join(places.dev, 'rfcomm0'), '');
    const path = join(places.dev, 'rfcomm0');
    expect(await listPorts(places)).toEqual([{ stablePath: path, path, about: '' }]);
  });
});

it('watching tells a plug and an unplug', async () => {
  const stop = new AbortController();
  const told: string[] = [];
  const watching = watchPorts(
    await listPorts(places),
    { list: () => listPorts(places), stop: stop.signal, everyMs: 5 },
    (event, port) => told.push(`${event} ${port.path.slice(places.dev.length + 1)}`),
  );
  await writeFile(join(places.dev, 'ttyACM0'), '');
  await expect.poll(() => told).toEqual(['plugged ttyACM0']);
  await rm(join(places.dev, 'ttyACM0'));
  await expect.poll(() => told).toEqual(['plugged ttyACM0', 'unplugged ttyACM0']);
  stop.abort();
  await watching;
});
