/** What a target means when it refuses a change, and what can be done about it. */
export interface Refusal {
  readonly meaning: string;
  readonly mend: string;
}

const elsewhere =
  'Somebody else writes to this table at the target. Find out who; then replay, or discard the letter if the row there is right.';

const known: Readonly<Record<string, Refusal>> = {
  '22001': {
    meaning: 'The text is longer than the column takes.',
    mend: 'Widen the column at the target, or shorten the text in the mapping (a transform) or at the source.',
  },
  '22003': {
    meaning: 'The number is larger than the column takes.',
    mend: 'Give the column at the target a wider type.',
  },
  '22007': { meaning: 'The text is no date or time.', mend: 'Convert it in the mapping, or correct it at the source.' },
  '22008': {
    meaning: 'The date or time is out of the range that the column takes.',
    mend: 'Correct it at the source, or give the column a type with a wider range.',
  },
  '22021': {
    meaning: "The text has a character that the target's encoding does not know.",
    mend: 'Use a target database in UTF8, or replace the character in the mapping.',
  },
  '22023': {
    meaning: 'The value is not allowed for its type.',
    mend: 'Correct it at the source, or convert it in the mapping.',
  },
  '22P02': {
    meaning: "The text cannot be read as the column's type.",
    mend: 'Convert it in the mapping, or give the column at the target a type that holds it.',
  },
  '22P05': {
    meaning: "A character has no counterpart in the target's encoding.",
    mend: 'Use a target database in UTF8, or replace the character in the mapping.',
  },
  '23001': {
    meaning: 'Other rows at the target still point at this one.',
    mend: 'Remove or move those rows, or map their table too, then replay.',
  },
  '23502': {
    meaning: 'The column must not be empty at the target, and the row has nothing for it.',
    mend: 'Map a value to the column, give it a default at the target, or drop its NOT NULL.',
  },
  '23503': {
    meaning: 'The row points at another one that the target does not have.',
    mend: 'See whether the row it points at is itself a dead letter: replay that one first. Otherwise its table may be missing from the pair.',
  },
  '23505': { meaning: 'The target already has a row with this key.', mend: elsewhere },
  '23514': {
    meaning: "The row breaks a CHECK of the target's table.",
    mend: 'Correct the row at the source, or change the CHECK at the target.',
  },
  '23P01': { meaning: 'The row overlaps another one where the target forbids it.', mend: elsewhere },
  '42804': {
    meaning: "The value is of another type than the target's column.",
    mend: 'Convert it in the mapping, or change the type of the column.',
  },
  '44000': {
    meaning: 'The row would not be visible through the view that it is written to.',
    mend: "Write to the view's table, or change the view's condition.",
  },
  '54000': {
    meaning: 'The value is larger than the target can keep or index.',
    mend: 'Take the column out of the index at the target, or shorten it in the mapping.',
  },
  P0001: {
    meaning: 'A trigger at the target refuses the row.',
    mend: 'The reason is in the trigger’s own words. Correct the row, or the trigger.',
  },
  TF002: {
    meaning: 'The row that was to be changed is not at the target, or is there more than once.',
    mend: elsewhere,
  },
};

/** By the first two characters, for what is not named above. */
const classes: Readonly<Record<string, Refusal>> = {
  '22': {
    meaning: 'The value does not fit the type of its column.',
    mend: 'Correct it at the source, or convert it in the mapping.',
  },
  '23': {
    meaning: 'The row breaks a constraint of the target.',
    mend: 'Correct the row at the source, or the constraint at the target.',
  },
  '42': {
    meaning: 'The value names something that the target does not know.',
    mend: 'Make it at the target, or map the column to text.',
  },
  '54': {
    meaning: 'The row is larger than the target takes.',
    mend: 'Shorten it in the mapping, or change the table at the target.',
  },
};

const unknown: Refusal = {
  meaning: 'The target refuses the row.',
  mend: 'The reason says what it dislikes. Correct the row at the source, or the table at the target.',
};

export const refusalOf = (sqlstate: string): Refusal => known[sqlstate] ?? classes[sqlstate.slice(0, 2)] ?? unknown;
