import { realpath } from 'node:fs/promises';
import type { SerialPort } from 'serialport';
import type { SerialSettings } from '../../domain/reading.js';
import { type Link, LinkError, type LinkHandlers, type OpenLink } from './link.js';

export interface SerialLinkOptions extends SerialSettings {
  /** Best a stable name below /dev/serial/by-id; resolved anew at each open. */
  readonly path: string;
  /** Set after opening; undefined leaves the line as the kernel has it (both raised). */
  readonly dtr?: boolean | undefined;
  readonly rts?: boolean | undefined;
}

/** The part of `SerialPort` in use, so that a test can bring its own port. */
export type PortFactory = (
  options: ConstructorParameters<typeof SerialPort>[0] & { readonly binding: typeof SerialPort.binding },
) => SerialPort;

/** A second of the fastest format; the library's own 64 KiB would be most of what a slow sensor costs. */
const READ_BUFFER_BYTES = 16 * 1024;

/** A serial port, by `serialport`. */
export class SerialLink implements Link {
  readonly name: string;

  constructor(
    private readonly options: SerialLinkOptions,
    private readonly createPort: PortFactory | null = null,
  ) {
    this.name = `serial:${options.path}`;
  }

  async open(handlers: LinkHandlers): Promise<OpenLink> {
    const { path, baudRate, dataBits, parity, stopBits, dtr, rts } = this.options;
    const resolved = await realpath(path).catch(() => path);
    // Read when the first port is opened, so that the start need not wait for it.
    const [{ SerialPort }, { hangUpBinding }] = await Promise.all([import('serialport'), import('./hang-up.js')]);
    const createPort = this.createPort ?? ((options) => new SerialPort(options));
    // A new object each time: an old one keeps unsent bytes and would send them, stale, after the reopen.
    const port = createPort({
      binding: hangUpBinding,
      path: resolved,
      baudRate,
      dataBits,
      parity,
      stopBits,
      highWaterMark: READ_BUFFER_BYTES,
      autoOpen: false,
    });
    let closing = false;
    let told = false;
    // Always listened to: an 'error' without a listener would end the process.
    port.on('error', (error) => tellClosed(error.message));
    const tellClosed = (reason: string) => {
      if (closing || told) return;
      told = true;
      handlers.onClose(reason);
    };
    await new Promise<void>((resolve, reject) => {
      port.open((error) => (error ? reject(explainOpenError(error, path)) : resolve()));
    });
    port.on('data', (chunk: Buffer) => handlers.onBytes(chunk));
    port.on('close', (error?: Error & { disconnected?: boolean }) =>
      tellClosed(error?.disconnected ? 'unplugged' : (error?.message ?? 'closed')),
    );
    // lowLatency asks the driver to hand bytes over at once (an FTDI chip waits 16 ms otherwise). `set` names both
    // lines because it raises what it is not told about. A pty refuses all of it, which does not matter.
    const lines = { dtr: dtr ?? true, rts: rts ?? true, lowLatency: true };
    port.set(lines, () => {});
    return {
      write(bytes) {
        if (!closing && port.isOpen) port.write(Buffer.from(bytes), (error) => error && tellClosed(error.message));
      },
      close() {
        closing = true;
        return new Promise<void>((resolve) => {
          if (port.isOpen) port.close(() => resolve());
          else resolve();
        });
      },
    };
  }
}

/** Turns serialport's message into what is wrong and what to do. */
export function explainOpenError(error: Error, path: string): LinkError {
  const text = error.message;
  if (/No such (file|device)|Not a directory|ENOENT|ENODEV|ENXIO|ENOTDIR/.test(text)) {
    return new LinkError('absent', `${path} is not there: is the sensor plugged in? \`slothd ports\` lists what is.`);
  }
  if (/Permission denied|EACCES/.test(text)) {
    return new LinkError(
      'forbidden',
      `${path} may not be opened by this user: \`sudo usermod -aG dialout $USER\` (Arch: uucp), then log in again.`,
    );
  }
  // A device that the service's unit does not name: the rights of files are in order, the control group's are not.
  if (/Operation not permitted|EPERM/.test(text)) {
    return new LinkError(
      'forbidden',
      `${path} is not among the devices that the service may use: DeviceAllow=, by \`sudo systemctl edit slothd\`.`,
    );
  }
  if (/Cannot lock port|temporarily unavailable|resource busy|EBUSY/.test(text)) {
    return new LinkError('busy', `${path} is held by another program; \`fuser -v ${path}\` names it.`);
  }
  if (/Inappropriate ioctl|Is a directory|ENOTTY|EISDIR/.test(text)) {
    return new LinkError('not-a-port', `${path} is not a serial port.`);
  }
  return new LinkError('failed', `${path} does not open: ${text}`);
}
