import { useEffect, useState } from 'preact/hooks';
import type { ColumnProof, PairCheckReport } from '#schemas/http/pairs.ts';
import { checkPair } from '../../api/new-pair.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { count, counted } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { CheckList } from '../../ui/check-list.tsx';
import { Card } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { pairBodyOf } from './draft.ts';
import { draft } from './store.ts';
import { StepButtons } from './wizard.tsx';

export function CheckStep() {
  const body = pairBodyOf(draft.value);
  const [report, setReport] = useState<PairCheckReport | undefined>(undefined);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const [asked, ask] = useState(0);
  const [busy, setBusy] = useState(true);
  useEffect(() => {
    const gone = new AbortController();
    setBusy(true);
    setError(undefined);
    checkPair(body, { signal: gone.signal })
      .then(setReport, (failed: unknown) => {
        if (!gone.signal.aborted) setError(asApi(failed));
      })
      .finally(() => {
        if (!gone.signal.aborted) setBusy(false);
      });
    return () => {
      gone.abort();
    };
  }, [asked]);
  return (
    <>
      <Card
        title="Check of the whole pair"
        actions={
          <button
            type="button"
            disabled={busy}
            aria-busy={busy}
            onClick={() => {
              ask(asked + 1);
            }}
          >
            Check again
          </button>
        }
      >
        <div role="status">
          {busy ? (
            <>
              <p class="soft">
                Looking at both ends, and sending boundary values of every column through the pair into scratch tables …
              </p>
              <div class="track unknown">
                <div class="fill" />
              </div>
            </>
          ) : report === undefined ? null : (
            <Badge
              state={report.ok ? 'ok' : 'failed'}
              label={
                report.ok ? 'the pair can be made' : `${counted(report.problems.length, 'problem')} to be solved first`
              }
            />
          )}
        </div>
        <Failure error={error} />
      </Card>
      {report === undefined ? null : <Findings report={report} />}
      <StepButtons next="review" disabled={busy || report?.ok !== true} />
    </>
  );
}

/** What a check has found. */
export function Findings({ report }: { readonly report: PairCheckReport }) {
  return (
    <>
      {report.problems.length === 0 ? null : (
        <Card title="What has to be solved">
          <ul class="findings">
            {report.problems.map(({ path, code, message, fix }) => (
              <li key={path + code + message}>
                <Badge state="failed" label="stops it" /> <code>{path}</code> {message}
                <p class="check-fix">{fix}</p>
              </li>
            ))}
          </ul>
        </Card>
      )}
      {report.lossy.length === 0 ? null : (
        <Card title="What does not arrive as it was">
          <ul class="findings">
            {report.lossy.map(({ path, message }) => (
              <li key={path + message}>
                <Badge state="advice" tone="busy" label="lossy" /> <code>{path}</code> {message}
              </li>
            ))}
          </ul>
        </Card>
      )}
      {report.tables.map((table) => (
        <Card key={table.source} title={`${table.source} → ${table.target}`} flush>
          <div class="preview-facts">
            <p>
              {table.action === 'create'
                ? 'The target table will be made. '
                : table.action === 'use'
                  ? 'The target table is there. '
                  : ''}
              <span class="soft">About {count(table.estimated_rows)} rows.</span>
            </p>
            <CheckList label={`Checks of ${table.source}`} checks={table.checks} />
          </div>
          <Table
            label={`Columns of ${table.target}`}
            rows={table.columns}
            columns={proofColumns}
            rowKey={({ target }) => target}
            empty={null}
          />
        </Card>
      ))}
      <Card title="Both ends">
        <div class="columns">
          {(['source', 'target'] as const).map((end) => (
            <section key={end} class="role-look" aria-label={end}>
              <h3>{end === 'source' ? 'Source' : 'Target'}</h3>
              <CheckList label={`Preconditions of the ${end}`} checks={report[end]} />
            </section>
          ))}
        </div>
      </Card>
    </>
  );
}

const results = {
  lossless: { label: 'lossless', tone: 'good' },
  lossy: { label: 'lossy', tone: 'busy' },
  unsupported: { label: 'does not arrive', tone: 'bad' },
  not_proven: { label: 'not proven', tone: 'calm' },
} as const;

const proofColumns: readonly Column<ColumnProof>[] = [
  {
    title: 'Source',
    cell: ({ source, source_type }) => (
      <>
        {source === '' ? '–' : source}
        <span class="soft ends">{source_type}</span>
      </>
    ),
    sort: ({ source }) => source,
  },
  {
    title: 'Target',
    cell: ({ target, target_type }) => (
      <>
        <span class="strong">{target}</span>
        <span class="soft ends">{target_type ?? 'no such column'}</span>
      </>
    ),
    sort: ({ target }) => target,
  },
  {
    title: 'Proof',
    cell: ({ proof }) => (proof === undefined ? null : <Badge state={proof.result} {...results[proof.result]} />),
    sort: ({ proof }) => proof?.result ?? '',
  },
  {
    title: 'How',
    cell: ({ proof }) => <span class="soft">{proof?.how ?? 'Boundary values of its type arrive as they were.'}</span>,
    wide: true,
  },
];
