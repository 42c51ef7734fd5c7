/** A row cannot go on for a reason that lies in its values. Never leaves the stream processor: the pair's policy decides what becomes of the row. */
export class RowFailure extends Error {
  override readonly name = 'RowFailure';
}

/** A value was needed that the source did not send, because it did not change (TOAST), and no full before row brought it. */
export class UnchangedNeeded extends RowFailure {
  constructor(column: string) {
    super(
      `the source did not send column ${column}, since it did not change, but its value is needed here; ` +
        'REPLICA IDENTITY FULL at the source makes it send every value',
    );
  }
}
