import { useState } from 'preact/hooks';
import type { PairPreviewReply } from '#schemas/http/pair-preview.ts';
import { Card } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { TextField } from '../../ui/field.tsx';
import { ColumnDialog, ExpressionField } from './column-dialog.tsx';
import {
  badNames,
  columnPath,
  columnsOf,
  firstOpenStep,
  originOf,
  type ColumnDraft,
  type TableDraft,
} from './draft.ts';
import { PreviewCard, usePreview } from './preview.tsx';
import { changeTable, draft } from './store.ts';
import { currentTable, TableChoice } from './table-choice.tsx';
import { transformsText } from './transforms.ts';
import { StepButtons } from './wizard.tsx';

export function MappingStep() {
  const table = currentTable();
  return (
    <>
      <TableChoice />
      <TableMapping key={table.source} table={table} />
      <BadNames />
      <StepButtons next="rules" disabled={firstOpenStep(draft.value) === 'mapping'} />
    </>
  );
}

export function BadNames() {
  const bad = draft.value.tables.flatMap((table) => badNames(table).map((name) => ({ table: table.source, name })));
  return (
    <div role="alert">
      {bad.length === 0 ? null : (
        <div class="notice bad">
          {bad.map(({ table, name }) => (
            <p key={`${table} ${name}`}>
              {name.trim() === ''
                ? `${table}: a target column has no name.`
                : `${table}: more than one column goes to ${name}. Give each a name of its own, or leave one out.`}
            </p>
          ))}
        </div>
      )}
    </div>
  );
}

interface Line {
  readonly index: number;
  readonly column: ColumnDraft;
  readonly type: string;
  readonly key: boolean;
}

/** A table's name at the target, its columns and which of its rows go over. */
export function TableMapping({ table }: { readonly table: TableDraft }) {
  const preview = usePreview(table, 8);
  const [edited, setEdited] = useState<number | undefined>(undefined);
  const known = preview.reply?.source_columns;
  const columns =
    known === undefined
      ? undefined
      : columnsOf(
          table,
          known.map(({ name }) => name),
        );
  const set = (all: readonly ColumnDraft[]): void => {
    changeTable(table.source, { columns: all });
  };
  const setOne = (index: number, part: Partial<ColumnDraft>): void => {
    set(columns!.map((each, at) => (at === index ? { ...each, ...part } : each)));
  };
  const lines = columns?.map((column, index): Line => {
    const source = known!.find(({ name }) => name === column.from);
    return { index, column, type: source?.type ?? (column.joined ? 'joined' : 'computed'), key: source?.key ?? false };
  });
  const shownColumns: readonly Column<Line>[] = [
    {
      title: 'Source column',
      cell: ({ index, column, type, key }) => (
        <label class="check">
          <input
            type="checkbox"
            checked={!column.out}
            disabled={key}
            aria-label={`Take ${column.from ?? column.target}`}
            onChange={(event) => {
              setOne(index, { out: !event.currentTarget.checked });
            }}
          />
          <span>
            {column.from === undefined ? (
              <code>{originOf(column) || '…'}</code>
            ) : (
              <span class="strong">{column.from}</span>
            )}
            <span class="soft ends">
              {type}
              {key ? ' · key' : ''}
            </span>
          </span>
        </label>
      ),
      wide: true,
    },
    {
      title: 'Target column',
      cell: ({ index, column }) =>
        column.out ? (
          <span class="soft">left out</span>
        ) : (
          <input
            class="target-name"
            aria-label={`Name of ${column.from ?? 'the computed column'} at the target`}
            spellcheck={false}
            value={column.target}
            onInput={(event) => {
              setOne(index, { target: event.currentTarget.value });
            }}
          />
        ),
    },
    {
      title: 'On the way',
      cell: ({ column }) =>
        column.out ? null : (
          <span class={column.transforms.length === 0 ? 'soft' : ''}>
            {transformsText(column.transforms) || 'as it is'}
          </span>
        ),
      wide: true,
    },
    {
      title: 'Edit',
      cell: ({ index, column }) => (
        <button
          type="button"
          class="small"
          disabled={column.out}
          aria-label={`Edit ${column.from ?? column.target}`}
          onClick={() => {
            setEdited(index);
          }}
        >
          Edit
        </button>
      ),
    },
  ];
  const current = edited === undefined ? undefined : columns?.[edited];
  return (
    <>
      <Card
        title="Columns"
        flush
        actions={
          <button
            type="button"
            disabled={columns === undefined}
            onClick={() => {
              set([...columns!, newComputed(columns!)]);
              setEdited(columns!.length);
            }}
          >
            Add a computed column
          </button>
        }
      >
        <div class="mapping-head">
          <TextField
            label="Target table"
            spellcheck={false}
            value={table.target}
            onInput={(target) => {
              changeTable(table.source, { target });
            }}
            problem={preview.problem('target')}
            help="schema.table; it is made if it is not there."
          />
          <ExpressionField
            label="Only rows for which (CEL)"
            help="Empty: all rows. Over row, the source row."
            placeholder="row.prop_type_cd == 'R'"
            value={table.where}
            problem={preview.problem('where')}
            onInput={(where) => {
              changeTable(table.source, { where });
            }}
          />
        </div>
        <Table
          label={`Columns of ${table.source}`}
          rows={lines}
          columns={shownColumns}
          rowKey={({ index }) => String(index)}
          empty={null}
          error={lines === undefined ? preview.error : undefined}
        />
      </Card>
      <PreviewCard preview={preview} />
      {current === undefined ? null : (
        <ColumnDialog
          column={current}
          problem={(field) => preview.problem(`${columnPath(current.target)}.${field}`)}
          sample={valuesOf(preview.reply, current.target)}
          onChange={(part) => {
            setOne(edited!, part);
          }}
          onRemove={
            current.from === undefined
              ? () => {
                  setEdited(undefined);
                  set(columns!.filter((_each, at) => at !== edited));
                }
              : undefined
          }
          onClose={() => {
            setEdited(undefined);
          }}
        />
      )}
    </>
  );
}

function newComputed(columns: readonly ColumnDraft[]): ColumnDraft {
  const names = new Set(columns.map(({ target }) => target));
  let name = 'computed';
  for (let number = 2; names.has(name); number++) name = `computed_${number}`;
  return { from: undefined, compute: '""', target: name, transforms: [], type: '', out: false };
}

function valuesOf(reply: PairPreviewReply | undefined, target: string): (string | null)[] {
  const at = reply?.target_columns.findIndex(({ name }) => name === target) ?? -1;
  if (!reply || at < 0) return [];
  return reply.rows.flatMap(({ after }) => (after === null ? [] : [after[at] ?? null])).slice(0, 5);
}
