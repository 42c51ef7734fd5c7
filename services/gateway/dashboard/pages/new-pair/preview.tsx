import { useEffect, useState } from 'preact/hooks';
import type { FieldProblem } from '#schemas/http/common.ts';
import type { PairPreviewReply } from '#schemas/http/pair-preview.ts';
import { previewTable } from '../../api/new-pair.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { counted } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Card } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { tableInputOf, type TableDraft } from './draft.ts';
import { draft } from './store.ts';

/** Whoever types is not asked after at every key, in ms. */
const TYPING = 400;

export interface Previewed {
  /** What was told last, also while it is asked again. Of another table: undefined. */
  readonly reply: PairPreviewReply | undefined;
  readonly error: ApiError | undefined;
  readonly busy: boolean;
  /** What is wrong with a part of the table: "columns.name.compute", "where". */
  readonly problem: (path: string) => FieldProblem | undefined;
}

/** Rows of the source through the table's chain, again whenever the table changes. */
export function usePreview(table: TableDraft, limit: number): Previewed {
  const { source, config } = draft.value;
  const wanted = { source, table: tableInputOf(table), config: { on_invalid: config.on_invalid }, limit };
  const key = JSON.stringify(wanted);
  const [state, setState] = useState<{ table: string; reply?: PairPreviewReply | undefined; error?: ApiError }>({
    table: table.source,
  });
  const [shown, setShown] = useState('');
  useEffect(() => {
    const gone = new AbortController();
    const timer = setTimeout(
      () => {
        previewTable(wanted, { signal: gone.signal }).then(
          (reply) => {
            setState({ table: table.source, reply });
            setShown(key);
          },
          (error: unknown) => {
            if (gone.signal.aborted) return;
            setState((before) => ({
              table: table.source,
              reply: before.table === table.source ? before.reply : undefined,
              error: asApi(error),
            }));
            setShown(key);
          },
        );
      },
      shown === '' ? 0 : TYPING,
    );
    return () => {
      clearTimeout(timer);
      gone.abort();
    };
  }, [key]);
  const mine = state.table === table.source;
  const problems = new Map((mine ? (state.reply?.problems ?? []) : []).map((each) => [each.path, each]));
  return {
    reply: mine ? state.reply : undefined,
    error: mine ? (state.error ?? undefined) : undefined,
    busy: shown !== key,
    problem: (path) => problems.get(`pair.tables[0].${path}`),
  };
}

/** Each row before and after, side by side. */
export function PreviewCard({ preview: { reply, error, busy } }: { readonly preview: Previewed }) {
  return (
    <Card title="Preview on rows of the source" flush>
      <div class="preview-facts" aria-live="polite" aria-busy={busy}>
        {reply === undefined ? null : <Counts reply={reply} />}
        {busy ? <span class="soft"> Asking the source …</span> : null}
      </div>
      <Failure error={error} />
      {reply === undefined ? (
        error === undefined ? (
          <p class="soft loading">Loading …</p>
        ) : null
      ) : reply.rows.length === 0 ? (
        <p class="soft loading">The table has no rows.</p>
      ) : (
        <div class="preview-rows">
          <Rows reply={reply} />
        </div>
      )}
    </Card>
  );
}

function Counts({ reply: { ok, counts, whole, problems } }: { readonly reply: PairPreviewReply }) {
  if (!ok) {
    return (
      <ul class="findings" role="alert">
        {problems.map(({ path, message }) => (
          <li key={path + message}>
            <Badge state="failed" label="not right yet" /> <code>{path.replace(/^pair\.tables\[0\]\.?/, '')}</code>{' '}
            <span class="expression-problem">{message}</span>
          </li>
        ))}
      </ul>
    );
  }
  return (
    <span>
      {whole ? `All ${counted(counts.read, 'row')}` : `The first ${counted(counts.read, 'row')}`}: {counts.written}{' '}
      written
      {counts.filtered > 0 ? `, ${counts.filtered} left out by the filter` : ''}
      {counts.rejected > 0 ? <span class="problem-text">, {counts.rejected} rejected</span> : null}
    </span>
  );
}

const head = (
  columns: readonly { readonly name: string; readonly type: string; readonly key: boolean }[],
  side: string,
) =>
  columns.map(({ name, type, key }) => (
    <th key={`${side} ${name}`} role="columnheader" scope="col" title={type}>
      {name}
      {key ? <span class="soft"> key</span> : null}
    </th>
  ));

function Rows({ reply }: { readonly reply: PairPreviewReply }) {
  const { source_columns, target_columns, rows, ok } = reply;
  return (
    <table role="table" class="preview" aria-label="Rows before and after">
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">
            Row
          </th>
          {ok ? head(target_columns, 'after') : null}
          <th role="columnheader" scope="col" class="divide">
            At the source
          </th>
          {head(source_columns, 'before')}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row, index) => (
          <tr role="row" key={index} class={row.fate}>
            <td role="cell">{ok ? <Fate row={row} /> : index + 1}</td>
            {!ok ? null : row.after === null ? (
              <td role="cell" colSpan={Math.max(1, target_columns.length)} class="preview-reason">
                {row.reason ?? 'Outside of the filter: not at the target.'}
              </td>
            ) : (
              row.after.map((cell, at) => <Cell key={at} cell={cell} />)
            )}
            <td role="cell" class="divide" aria-hidden="true">
              ←
            </td>
            {row.before.map((cell, at) => (
              <Cell key={at} cell={cell} />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Cell({ cell }: { readonly cell: string | null }) {
  return (
    <td role="cell" class="preview-cell" {...(cell !== null && cell.length > 30 ? { title: cell } : {})}>
      {cell === null ? <span class="soft">NULL</span> : cell === '' ? <span class="soft">empty</span> : cell}
    </td>
  );
}

function Fate({ row: { fate, consequence, warnings } }: { readonly row: PairPreviewReply['rows'][number] }) {
  if (fate === 'filtered') return <Badge state="filtered" tone="calm" label="left out" />;
  if (fate === 'rejected') {
    return <Badge state="failed" label={consequence === 'halt' ? 'stops the pair' : 'dead letter'} />;
  }
  if (warnings.length > 0) return <Badge state="warned" tone="busy" label="warned" title={warnings.join(', ')} />;
  return <Badge state="ok" label="written" />;
}
