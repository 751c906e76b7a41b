/** `good`: nothing to do. `note`: works, could be better. `bad`: alerts would be missed or late. */
export type FindingState = 'good' | 'note' | 'bad';

/** What one check found. */
export interface Finding {
  /** The check's name: `port`, `broker` ... */
  readonly check: string;
  readonly state: FindingState;
  /** One sentence for a person. */
  readonly says: string;
  /** What mends it: a command where there is one. */
  readonly fix?: string;
}

export function good(check: string, says: string): Finding {
  return { check, state: 'good', says };
}

export function note(check: string, says: string, fix?: string): Finding {
  return { check, state: 'note', says, fix };
}

export function bad(check: string, says: string, fix: string): Finding {
  return { check, state: 'bad', says, fix };
}

/** A word for a shell, quoted where it must be: a fix is there to be pasted. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
