import { Cell } from '#schemas/block/index.ts';
import type { Rows } from './rows.ts';
import type { TablePlan } from './table-plan.ts';

/** No value reads like this: values are taken byte by byte. */
const NULL_KEY = '\u{100}';

/** What must be known of a row before its change can be taken in. One object serves all rows, one after the other. */
export class RowScan {
  /** Equal keys give equal texts, different ones different texts. */
  key = '';
  /** Cells have no value ("unchanged"). */
  partial = false;
  /** Among them one of the key's. */
  keyMissing = false;

  read({ isKey, keys }: TablePlan, rows: Rows, source: number, at: number): void {
    const bytes = rows.buffer(source);
    const cells = rows.cursor(source);
    const single = keys.length === 1;
    this.key = '';
    this.partial = false;
    this.keyMissing = false;
    cells.start(at);
    for (let cell = 0; cells.next(); cell++) {
      const unchanged = cells.kind === Cell.unchanged;
      if (unchanged) this.partial = true;
      if (isKey[cell] !== 1) continue;
      if (unchanged) this.keyMissing = true;
      const text = cells.kind === Cell.null ? NULL_KEY : bytes.toString('latin1', cells.from, cells.to);
      this.key = single ? text : `${this.key}${text.length} ${text}`;
    }
  }
}
