/** What a link tells while it is open. */
export interface LinkHandlers {
  /** Bytes as they came; the array may be reused after the call returns. */
  onBytes(bytes: Uint8Array): void;
  /** The other side is gone (unplugged, connection closed). Comes at most once, and not after `close()`. */
  onClose(reason: string): void;
}

export interface OpenLink {
  /** Sends bytes to the device. Failures end in `onClose`, never in a throw. */
  write(bytes: Uint8Array): void;
  /** Lets go of the port or socket. Never rejects. */
  close(): Promise<void>;
}

/** A way to a sensor's bytes. Every `open` makes a fresh connection: nothing of a former one is sent or kept. */
export interface Link {
  /** For logs and metrics, such as `serial:/dev/ttyUSB0`. */
  readonly name: string;
  /** @throws LinkError saying what is wrong and what to do */
  open(handlers: LinkHandlers): Promise<OpenLink>;
}

/** Why a link did not open. `reason` is a short word for metrics, `message` is for a person. */
export class LinkError extends Error {
  constructor(
    readonly reason: 'absent' | 'forbidden' | 'busy' | 'refused' | 'not-a-port' | 'failed',
    message: string,
  ) {
    super(message);
    this.name = 'LinkError';
  }
}
