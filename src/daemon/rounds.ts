/** Each sensor hears of the time this often. */
export const ROUND_MS = 100;
/** Sensors that may have their turn in one go: whatever comes in meanwhile, an alert too, waits for all of them. */
const SENSORS_A_TURN = 8;
/** A round can be divided into so many turns. */
const TURNS = [1, 2, 5, 10];
/** A sensor's vitals go out in one of so many rounds: once a second. */
const VITALS_ROUNDS = 10;

/** Which sensors, by their place among all, have a turn now: every one of them once a round, few at a time. */
export class Rounds {
  private readonly turns: number;
  private count = 0;

  constructor(sensors: number) {
    this.turns = TURNS.find((count) => sensors <= count * SENSORS_A_TURN) ?? TURNS.at(-1)!;
  }

  /** Time from one turn to the next. */
  get turnMs(): number {
    return ROUND_MS / this.turns;
  }

  /** The next turn. @returns for a place: null where it is not its turn, else whether its vitals are due */
  next(): (place: number) => { readonly vitals: boolean } | null {
    const { turns } = this;
    const turn = this.count % turns;
    const round = Math.floor(this.count / turns) % VITALS_ROUNDS;
    this.count++;
    return (place) => (place % turns === turn ? { vitals: Math.floor(place / turns) % VITALS_ROUNDS === round } : null);
  }
}
