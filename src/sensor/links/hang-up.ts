import { readSync } from 'node:fs';
import { SerialPort } from 'serialport';

/** What a Unix port of `serialport` 13 is made of, as far as it is used here. */
interface UnixPort {
  readonly fd: number | null;
  readonly poller: { once(event: 'readable', listener: (error: Error | null) => void): unknown };
  read(buffer: Buffer, offset: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }>;
}

type Binding = typeof SerialPort.binding;

/**
 * The machine's serial binding, with reads that notice a hang-up. A terminal that was unplugged reads 0 bytes for ever;
 * `serialport` 13 takes that for "nothing yet" and reads again at once, so an unplug that falls between its `poll` and
 * its `read` (one in ten while data flows) is never told and keeps a core busy. In raw mode with VMIN 1 and O_NONBLOCK,
 * which it sets, 0 bytes mean nothing else: no data is EAGAIN (termios(3), tty_io.c `hung_up_tty_read`).
 */
export const hangUpBinding: Binding = {
  list: SerialPort.binding.list,
  async open(options: Parameters<Binding['open']>[0]) {
    const port = await SerialPort.binding.open(options as never);
    if ('poller' in port) {
      const unixPort = port as unknown as UnixPort;
      unixPort.read = (buffer, offset, length) => readUntilHangUp(unixPort, buffer, offset, length);
    }
    return port;
  },
} as Binding;

async function readUntilHangUp(port: UnixPort, buffer: Buffer, offset: number, length: number) {
  for (;;) {
    // `canceled` is how the binding says that we closed the port ourselves.
    if (port.fd === null) throw Object.assign(new Error('the port is closed'), { canceled: true });
    // Waited for first, then read at once: the descriptor is non-blocking, and a read in libuv's thread pool would queue
    // behind the disk's fsync, some milliseconds on a busy machine.
    await readable(port);
    if (port.fd === null) continue;
    try {
      const bytesRead = readSync(port.fd, buffer, offset, length, null);
      if (bytesRead > 0) return { buffer, bytesRead };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' && code !== 'EWOULDBLOCK' && code !== 'EINTR') throw error;
      continue;
    }
    throw new Error('hung up');
  }
}

function readable(port: UnixPort): Promise<void> {
  return new Promise((resolve, reject) => {
    port.poller.once('readable', (error) => (error ? reject(error) : resolve()));
  });
}
