import { connect } from 'node:net';
import { type Link, LinkError, type LinkHandlers, type OpenLink } from './link.js';

/** A raw TCP port, as ser2net and many ESP bridges offer. */
export class TcpLink implements Link {
  readonly name: string;

  constructor(
    private readonly host: string,
    private readonly port: number,
    private readonly timeoutMs = 10_000,
  ) {
    this.name = `tcp:${host}:${port}`;
  }

  open(handlers: LinkHandlers): Promise<OpenLink> {
    return new Promise((resolve, reject) => {
      let closing = false;
      let opened = false;
      let told = false;
      const socket = connect({ host: this.host, port: this.port, noDelay: true, keepAlive: true });
      const refuse = (error: Error) => {
        socket.destroy();
        reject(new LinkError('refused', `${this.name} does not answer: ${error.message}`));
      };
      const tell = (reason: string) => {
        if (closing || told) return;
        told = true;
        handlers.onClose(reason);
      };
      socket.setTimeout(this.timeoutMs, () => {
        if (!opened) refuse(new Error(`no connection within ${this.timeoutMs / 1000} s`));
      });
      socket.on('error', (error) => (opened ? tell(error.message) : refuse(error)));
      socket.on('close', () => tell('connection closed'));
      socket.on('data', (chunk) => handlers.onBytes(chunk));
      socket.on('connect', () => {
        opened = true;
        socket.setTimeout(0);
        resolve({
          write(bytes) {
            if (!closing) socket.write(bytes);
          },
          close() {
            closing = true;
            socket.destroy();
            return Promise.resolve();
          },
        });
      });
    });
  }
}
