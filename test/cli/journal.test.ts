import { pino } from 'pino';
import { expect, it } from 'vitest';
import { goesToJournal, journalStream } from '../../src/cli/run/journal.js';

it('lines for journald are JSON with their priority in front, so that journalctl -p can filter them', () => {
  const lines: string[] = [];
  const log = pino({ base: undefined, level: 'trace' }, journalStream({ write: (text) => lines.push(text) }));
  log.debug('a');
  log.info({ sensor: 'chest' }, 'b');
  log.child({ part: 'mqtt' }).warn('c');
  log.error('d');
  log.fatal('e');
  expect(lines.map((line) => line.slice(0, 3))).toEqual(['<7>', '<6>', '<4>', '<3>', '<2>']);
  expect(JSON.parse(lines[1]!.slice(3))).toMatchObject({ level: 30, sensor: 'chest', msg: 'b' });
});

it('only where standard output is the very stream that systemd made', () => {
  const stat = { dev: 9, ino: 1234 };
  expect(goesToJournal({ JOURNAL_STREAM: '9:1234' }, stat)).toBe(true);
  expect(goesToJournal({ JOURNAL_STREAM: '9:77' }, stat)).toBe(false);
  expect(goesToJournal({}, stat)).toBe(false);
});
