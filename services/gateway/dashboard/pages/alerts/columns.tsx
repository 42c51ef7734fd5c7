import type { AlertCode, Severity } from '#schemas/alerts.ts';
import { Badge } from '../../ui/badge.tsx';
import type { Column } from '../../ui/table.tsx';
import { alertKind } from './kinds.ts';

/** Which alert it is, with what is said of it below, and how bad. */
export const alertColumns = <Row extends { readonly code: AlertCode; readonly severity: Severity }>(
  said: (row: Row) => string,
): readonly Column<Row>[] => [
  {
    title: 'Alert',
    cell: (row) => (
      <>
        <span class="strong">{alertKind(row.code).title}</span>
        <span class="soft ends">{said(row)}</span>
      </>
    ),
    sort: ({ code }) => code,
    wide: true,
  },
  {
    title: 'Severity',
    cell: ({ severity }) => <Badge state={severity} tone={severity === 'critical' ? 'bad' : 'busy'} />,
    sort: ({ severity }) => severity,
  },
];
