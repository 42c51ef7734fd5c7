import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import type { PairCheckReport, PairView } from '#schemas/http/pairs.ts';
import { changePair, checkPairChange } from '../../api/pairs.ts';
import type { ApiError } from '../../app/client.ts';
import { asApi } from '../../app/hooks.ts';
import { counted } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Card } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { toast } from '../../ui/toast.tsx';
import { Findings } from '../new-pair/check-step.tsx';
import {
  badNames,
  emptyDraft,
  isHalfWritten,
  tableDraftOf,
  tableInputOf,
  type StoredTable,
} from '../new-pair/draft.ts';
import { BadNames, TableMapping } from '../new-pair/mapping-step.tsx';
import { TableRules } from '../new-pair/rules-step.tsx';
import { changing, draft } from '../new-pair/store.ts';
import { currentTable, TableChoice } from '../new-pair/table-choice.tsx';

interface EditProps {
  /** As it was when the editing began, and as it is now. */
  readonly view: PairView;
  readonly onClose: () => void;
  readonly reload: () => void;
}

/** The mapping and the rules of a pair that is there, with the editors that it was made with. */
export function EditMapping(props: EditProps) {
  const [begun] = useState(props.view);
  const [stored] = useState(() => (begun.definition.tables as readonly StoredTable[] | null) ?? []);
  const [drafts] = useState(() => stored.map(tableDraftOf));
  useLayoutEffect(() => {
    const { source, target, name } = begun;
    changing.value = { ...emptyDraft, source: source.id, target: target.id, name, tables: drafts };
    return () => {
      changing.value = undefined;
    };
  }, [begun, drafts]);
  if (changing.value === undefined) return null;
  // A table that was not touched is sent as it is stored.
  const tables = draft.value.tables.map((table, index) =>
    table === drafts[index] ? stored[index]! : tableInputOf(table),
  );
  const touched = draft.value.tables.filter((table, index) => table !== drafts[index]).map(({ source }) => source);
  return <Editors {...props} tables={tables} touched={touched} stale={props.view.version !== begun.version} />;
}

function Editors({
  view,
  onClose,
  reload,
  tables,
  touched,
  stale,
}: EditProps & { readonly tables: readonly object[]; readonly touched: readonly string[]; readonly stale: boolean }) {
  const [part, setPart] = useState<'columns' | 'rules'>('columns');
  const table = currentTable();
  return (
    <>
      <div class="filters bare">
        <TableChoice />
        <span class="actions" role="group" aria-label="What is edited">
          {(['columns', 'rules'] as const).map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={part === each}
              onClick={() => {
                setPart(each);
              }}
            >
              {each === 'columns' ? 'Columns' : `Rules (${table.rules.length})`}
            </button>
          ))}
        </span>
      </div>
      {part === 'columns' ? (
        <TableMapping key={table.source} table={table} />
      ) : (
        <TableRules key={table.source} table={table} />
      )}
      <BadNames />
      <Save {...{ view, onClose, reload, tables, touched, stale }} />
    </>
  );
}

function Save({ view, onClose, reload, tables, touched, stale }: Parameters<typeof Editors>[0]) {
  const [anew, setAnew] = useState(true);
  const [report, setReport] = useState<PairCheckReport | undefined>(undefined);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const key = JSON.stringify(tables);
  // What was found is of what was looked at.
  useEffect(() => {
    setReport(undefined);
  }, [key]);
  const unfinished = draft.value.tables.some((table) => badNames(table).length > 0 || table.rules.some(isHalfWritten));
  const run = (work: () => Promise<void>): void => {
    setBusy(true);
    setError(undefined);
    work()
      .catch((failed: unknown) => {
        setError(asApi(failed));
      })
      .finally(() => {
        setBusy(false);
      });
  };
  return (
    <>
      {report === undefined ? null : <Findings report={report} />}
      <Card title="Check and save">
        {stale ? (
          <div class="notice bad" role="alert">
            <p>{view.name} was changed by somebody else meanwhile. Close, and begin with what is there now.</p>
          </div>
        ) : null}
        <p class="soft">
          {touched.length === 0
            ? 'Nothing is changed yet.'
            : `Changed: ${touched.join(', ')}. Nothing happens before it is saved.`}
        </p>
        <label class="check">
          <input
            type="checkbox"
            checked={anew}
            onChange={(event) => {
              setAnew(event.currentTarget.checked);
            }}
          />
          Load the changed tables anew, beside the stream; otherwise only what changes from now on arrives in the new
          way
        </label>
        <div role="status">
          {busy ? <p class="soft">Looking at both ends …</p> : null}
          {report === undefined ? null : (
            <Badge
              state={report.ok ? 'ok' : 'failed'}
              label={
                report.ok
                  ? 'the change can be saved'
                  : `${counted(report.problems.length, 'problem')} to be solved first`
              }
            />
          )}
        </div>
        <Failure error={error} />
        <div class="dialog-actions">
          <button type="button" onClick={onClose}>
            Close
          </button>
          <button
            type="button"
            disabled={busy || unfinished || touched.length === 0}
            aria-busy={busy}
            onClick={() => {
              run(async () => {
                setReport(await checkPairChange(view.id, { tables }));
              });
            }}
          >
            Check
          </button>
          <button
            type="button"
            class="main"
            disabled={busy || stale || report?.ok !== true}
            onClick={() => {
              run(async () => {
                await changePair(view.id, { tables, resync_changed: anew });
                toast(`The mapping of ${view.name} is changed.`);
                reload();
                onClose();
              });
            }}
          >
            Save
          </button>
        </div>
      </Card>
    </>
  );
}
