import type { SystemView } from '#schemas/http/systems.ts';
import { listSystems } from '../../api/systems.ts';
import { useList } from '../../app/hooks.ts';
import { pairs } from '../../app/live.ts';
import { pathOf } from '../../app/paths.ts';
import { place } from '../../app/router.ts';
import { may } from '../../app/session.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Filters, SelectFilter, TextFilter } from '../../ui/filters.tsx';
import { Card, PageHead } from '../../ui/page.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { addressText, environmentOptions, kindOptions, lastCheckState, systemHref } from './system-text.ts';

const columns: readonly Column<SystemView>[] = [
  {
    title: 'System',
    cell: (system) => (
      <>
        <a class="strong" href={systemHref(system)}>
          {system.name}
        </a>
        <span class="soft ends">{addressText(system)}</span>
      </>
    ),
    sort: ({ name }) => name,
    wide: true,
  },
  { title: 'Kind', cell: ({ kind }) => kind, sort: ({ kind }) => kind },
  { title: 'Environment', cell: ({ environment }) => environment, sort: ({ environment }) => environment },
  { title: 'Used by', cell: (system) => <UsedBy system={system} />, sort: ({ id }) => pairsOf(id).length },
  {
    title: 'Last check',
    cell: (system) => {
      const { tone, label, at } = lastCheckState(system);
      return (
        <>
          <Badge state={label} tone={tone} label={label} />
          {at === null ? null : (
            <span class="soft ends">
              <Time at={at} />
            </span>
          )}
        </>
      );
    },
    sort: (system) => lastCheckState(system).label,
  },
];

const filters = ['text', 'kind', 'environment'];

/** Systems that are registered, with the pairs that stand on them. */
export function Systems() {
  const { query } = place.value;
  const [text, kind, environment] = filters.map((name) => query.get(name) ?? '');
  const systems = useList(
    `systems ${text} ${kind} ${environment}`,
    (cursor, signal) => listSystems({ text, kind, environment, cursor, limit: 100 }, { signal }),
    { every: 15_000 },
  );
  const filtered = text !== '' || kind !== '' || environment !== '';
  return (
    <>
      <PageHead title="Systems">{may('editor') ? <Register /> : undefined}</PageHead>
      <Card flush>
        <Filters names={filters}>
          <TextFilter name="text" label="Search systems" placeholder="Part of a name" />
          <SelectFilter name="kind" label="Kind" every="Every kind" options={kindOptions} />
          <SelectFilter name="environment" label="Environment" every="Every environment" options={environmentOptions} />
        </Filters>
        <Table
          label="Systems"
          {...systems}
          rows={systems.items}
          columns={columns}
          rowKey={({ id }) => id}
          empty={
            filtered ? (
              <Empty title="No system is like this">Take the filter away to see all systems.</Empty>
            ) : (
              <Empty title="No system is registered yet" action={may('editor') ? <Register /> : undefined}>
                A system is a database that a pair reads from or writes to. Register two, and make a pair of them.
              </Empty>
            )
          }
        />
      </Card>
    </>
  );
}

const Register = () => (
  <a class="button main" href="/dashboard/systems/new">
    Register a system
  </a>
);

const pairsOf = (id: string) => pairs.value.filter(({ source, target }) => source.id === id || target.id === id);

function UsedBy({ system: { id } }: { readonly system: SystemView }) {
  const using = pairsOf(id);
  if (using.length === 0) return <span class="soft">no pair</span>;
  return (
    <span>
      {using.slice(0, 3).map(({ name }, index) => (
        <span key={name}>
          {index === 0 ? '' : ', '}
          <a href={pathOf('/dashboard/pairs/:pair', { pair: name })}>{name}</a>
        </span>
      ))}
      {using.length > 3 ? <span class="soft"> and {using.length - 3} more</span> : null}
    </span>
  );
}
