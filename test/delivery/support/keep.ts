import { afterEach } from 'vitest';

type Close = () => Promise<unknown>;

/** What a test opened is closed after it, latest first. */
export function closedAfterEach() {
  const open: Close[] = [];
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });
  const afterwards = (...close: Close[]): void => {
    open.push(...close);
  };
  const keep = <T extends { close(): Promise<unknown> }>(thing: T): T => {
    afterwards(() => thing.close());
    return thing;
  };
  return { keep, afterwards };
}
