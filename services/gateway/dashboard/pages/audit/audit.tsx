import type { AuditView } from '#schemas/http/audit.ts';
import { auditCsvPath, listAudit, summarizeAudit, type AuditChoice } from '../../api/audit.ts';
import { useList, useLoaded } from '../../app/hooks.ts';
import { place } from '../../app/router.ts';
import { counted } from '../../format.ts';
import {
  filterKey,
  Filters,
  SelectFilter,
  TextFilter,
  TIME_FILTERS,
  TimeFilter,
  timeQuery,
} from '../../ui/filters.tsx';
import { Card, PageHead } from '../../ui/page.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { AuditEntries } from './entries.tsx';
import { AuditSummary } from './summary.tsx';
import { useVerification } from './verify.tsx';
import { actionText, entityWords } from './words.ts';

const filters = ['text', 'actor', 'action', 'entity', 'entity_id', 'outcome', ...TIME_FILTERS];

function choiceOf(query: URLSearchParams): AuditChoice {
  const given = (name: string) => query.get(name) ?? undefined;
  return {
    text: given('text'),
    actor: given('actor'),
    action: given('action'),
    entity: given('entity'),
    entity_id: given('entity_id'),
    outcome: given('outcome') as AuditView['outcome'] | undefined,
    ...timeQuery(query),
  };
}

/** Who did what, and what happened. */
export const Audit = () => <Trail part="entries" />;
/** The same in figures. */
export const AuditFigures = () => <Trail part="summary" />;

function Trail({ part }: { readonly part: 'entries' | 'summary' }) {
  const { query } = place.value;
  const key = filterKey(query, filters);
  const summary = useLoaded(`audit summary ${key}`, (signal) => summarizeAudit(choiceOf(query), { signal }), {
    every: 15_000,
  });
  // What can be chosen is what there is, whatever is chosen now.
  const all = useLoaded('audit summary', (signal) => summarizeAudit({}, { signal }), { every: 60_000 });
  const { button, verdict } = useVerification();
  const search = query.toString();
  const at = (path: string): string => (search === '' ? path : `${path}?${search}`);
  return (
    <>
      <PageHead title="Audit">
        {button}
        <a class="button" href={auditCsvPath(choiceOf(query))} download="audit.csv">
          Export CSV
        </a>
      </PageHead>
      <p class="soft under-title">
        Who did what, and what happened. Entries are only ever added, and each carries the hash of the one before.
      </p>
      {verdict}
      <Card flush>
        <Filters
          names={filters}
          told={summary.data === undefined ? undefined : counted(summary.data.entries, 'entry', 'entries')}
        >
          <TextFilter name="text" label="Search" placeholder="Anywhere in an entry" />
          <SelectFilter
            name="actor"
            label="Who"
            every="Everybody"
            options={(all.data?.by_actor ?? []).map(({ value }) => ({ value, label: value }))}
          />
          <SelectFilter
            name="action"
            label="Action"
            every="Every action"
            options={(all.data?.by_action ?? []).map(({ value }) => ({ value, label: actionText(value) }))}
          />
          <SelectFilter
            name="entity"
            label="About"
            every="About anything"
            options={Object.entries(entityWords).map(([value, label]) => ({ value, label }))}
          />
          <SelectFilter
            name="outcome"
            label="Outcome"
            every="Every outcome"
            options={[
              { value: 'success', label: 'Success' },
              { value: 'failure', label: 'Failure' },
            ]}
          />
          <TimeFilter />
          {query.has('entity_id') ? <span class="chip">only {query.get('entity_id')}</span> : null}
        </Filters>
      </Card>
      <Tabs
        label="Parts of the audit trail"
        tabs={[
          { label: 'Entries', href: at('/dashboard/audit') },
          { label: 'Summary', href: at('/dashboard/audit/summary') },
        ]}
      />
      {part === 'summary' ? (
        <AuditSummary summary={summary} />
      ) : (
        <Entries choice={() => choiceOf(query)} name={key} filtered={filters.some((name) => query.has(name))} />
      )}
    </>
  );
}

function Entries({
  choice,
  name,
  filtered,
}: {
  readonly choice: () => AuditChoice;
  readonly name: string;
  readonly filtered: boolean;
}) {
  const entries = useList(`audit ${name}`, (cursor, signal) => listAudit({ ...choice(), cursor }, { signal }), {
    every: 5000,
  });
  return (
    <Card flush>
      <AuditEntries label="Audit entries" entries={entries} filtered={filtered} />
    </Card>
  );
}
