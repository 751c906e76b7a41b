import { describe, expect, it } from 'vitest';
import { ROUND_MS, Rounds } from '../../src/daemon/rounds.js';

describe('rounds', () => {
  it.each([1, 7, 8, 9, 40, 64, 81, 300])(
    '%i sensors: each has its turn once a round, its vitals once a second',
    (sensors) => {
      const rounds = new Rounds(sensors);
      const turns = Array.from({ length: sensors }, () => 0);
      const vitals = Array.from({ length: sensors }, () => 0);
      const perRound = ROUND_MS / rounds.turnMs;
      for (let round = 1; round <= 10; round++) {
        for (let turn = 0; turn < perRound; turn++) {
          const turnOf = rounds.next();
          for (let place = 0; place < sensors; place++) {
            const mine = turnOf(place);
            if (!mine) continue;
            turns[place]!++;
            if (mine.vitals) vitals[place]!++;
          }
        }
        expect(new Set(turns)).toEqual(new Set([round]));
      }
      expect(new Set(vitals)).toEqual(new Set([1]));
    },
  );

  it('lets few sensors go in one turn', () => {
    const most = (sensors: number) => {
      const rounds = new Rounds(sensors);
      const places = Array.from({ length: sensors }, (_, place) => place);
      return Math.max(...Array.from({ length: 10 }, () => places.filter(rounds.next()).length));
    };
    expect(most(1)).toBe(1);
    expect(most(64)).toBe(7);
    expect(most(80)).toBe(8);
    // A tenth of a round is as fine as it gets.
    expect(most(300)).toBe(30);
    expect(new Rounds(8).turnMs).toBe(100);
    expect(new Rounds(64).turnMs).toBe(10);
  });
});
