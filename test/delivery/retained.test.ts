import { expect, test } from 'vitest';
import type { PublishOutcome } from '../../src/delivery/in-flight.js';
import { RetainedState } from '../../src/delivery/retained.js';

function world() {
  const suspects: string[] = [];
  const retained = new RetainedState((topic) => suspects.push(topic));
  let sent: { topic: string; done: (outcome: PublishOutcome) => void }[] = [];
  /** Hands over what is due; then all of it ends so. */
  const round = (end: (topic: string) => PublishOutcome) => {
    sent = [];
    retained.pump((topic, _payload, done) => sent.push({ topic, done }) > 0);
    for (const { topic, done } of sent) done(end(topic));
    return sent.map(({ topic }) => topic);
  };
  return { retained, suspects, round };
}
const large = (bytes: number) => 'x'.repeat(bytes);

test('what is large and lost with each connection is held back; what is small never is', () => {
  const { retained, suspects, round } = world();
  retained.set('list', '[]');
  retained.set('device', large(9_000));
  retained.set('health', large(3_000));
  for (let connection = 0; connection < 3; connection++) {
    expect(round(() => 'lost')).toEqual(['list', 'device', 'health']);
    retained.markAll();
  }
  // Newer words on the same topic are as large.
  retained.set('health', large(3_001));
  expect(round(() => 'acked')).toEqual(['list']);
  expect(suspects.sort()).toEqual(['device', 'health']);
  retained.markAll();
  expect(round(() => 'acked')).toEqual(['list']);
  expect(retained.hasSuspects).toBe(true);

  // One at a time, the smallest first; one that was not to blame brings the next.
  retained.trySuspect();
  expect(round(() => 'acked')).toEqual(['health']);
  expect(round(() => 'lost')).toEqual(['device']);
  expect(round(() => 'lost')).toEqual([]);
  retained.set('health', large(3_002));
  expect(round(() => 'acked')).toEqual(['health']);

  // Another broker may take it.
  retained.forgive();
  retained.markAll();
  expect(round(() => 'acked').sort()).toEqual(['device', 'health', 'list']);
  expect(retained.hasSuspects).toBe(false);
});

test('what was refused is said again when asked for, and not with all the rest', () => {
  const { retained, round } = world();
  retained.set('a', '1');
  retained.set('b', '2');
  expect(round((topic) => (topic === 'a' ? 'refused' : 'acked'))).toEqual(['a', 'b']);
  retained.markAll();
  expect(round(() => 'acked')).toEqual(['b']);
  retained.set('a', '3');
  expect(round(() => 'acked')).toEqual([]);
  retained.markRefused();
  expect(round(() => 'acked')).toEqual(['a']);
});
