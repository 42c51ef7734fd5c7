import { RowFailure } from '../row-failure.ts';
import type { Transforms } from './transform.ts';

/** Code lists. NULL is in no list: it stays NULL, and "reject" rejects it too. */
export const lookup: Transforms['lookup'] = ({ values, otherwise }) => {
  const list = new Map(Object.entries(values));
  return (text) => {
    if (text !== null) {
      const found = list.get(text);
      if (found !== undefined) return found;
    }
    if (otherwise === 'reject') {
      throw new RowFailure(`${text === null ? 'NULL' : JSON.stringify(text)} is not in the lookup's list`);
    }
    return otherwise === 'null' ? null : text;
  };
};
