import { listSchemaChanges, readSchema } from '../../api/pairs.ts';
import { useList, useLoaded } from '../../app/hooks.ts';
import { counted } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Card } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { Time } from '../../ui/time.tsx';
import type { PairTabProps } from './pair.tsx';
import { Steps, WaitingChange } from './waiting-change.tsx';

/** What was made of the source's schema at the target, what is not there and why, and how it has changed since. */
export function SchemaTab({ pair, view, reload }: PairTabProps) {
  const { data: schema, error } = useLoaded(`schema ${pair.id}`, (signal) => readSchema(pair.id, { signal }));
  const changes = useList(
    `schema-changes ${pair.id} ${view?.schema_change?.id ?? ''}`,
    (cursor, signal) => listSchemaChanges(pair.id, cursor, { signal }),
    { every: 10_000 },
  );
  return (
    <>
      {!view?.schema_change ? null : <WaitingChange pair={pair.id} change={view.schema_change} reload={reload} />}
      <Failure error={error ?? changes.error} />
      {schema === undefined ? null : schema.updated_at === null ? (
        <Card>
          {view?.definition.config['create_tables'] === false ? (
            <Empty title="The target's own tables are used">
              The pair makes no tables (create_tables is false): they, their indexes and keys are as they were found.
            </Empty>
          ) : (
            <Empty title="The target was not looked at yet">
              Tables, indexes, keys and the like are made with the first load.
            </Empty>
          )}
        </Card>
      ) : (
        <>
          <Card
            title="Not at the target, or not as at the source"
            actions={
              schema.complete ? null : (
                <Badge state="running" label="indexes and keys come after the rows" tone="busy" />
              )
            }
          >
            {schema.skipped.length === 0 ? (
              <p class="soft">Nothing: the target has everything.</p>
            ) : (
              <ul class="findings">
                {schema.skipped.map(({ object, reason, fix }) => (
                  <li key={object}>
                    <p class="strong">{object}</p>
                    <p>{reason}</p>
                    <p class="soft">{fix}</p>
                  </li>
                ))}
              </ul>
            )}
          </Card>
          <div class="columns">
            <Objects title="Made by us" objects={schema.made} />
            <Objects title="Found there, as it should be" objects={schema.found} />
          </div>
        </>
      )}
      <Card title="Changes since">
        {changes.items === undefined ? null : changes.items.length === 0 ? (
          <p class="soft">The source's tables have not changed.</p>
        ) : (
          <ul class="steps">
            {changes.items.map((change) => (
              <li key={change.id}>
                <p>
                  <Badge state={change.state} tone={change.state === 'waiting' ? 'busy' : 'good'} />{' '}
                  <Time at={change.applied_at ?? change.created_at} />
                  {change.decided_by === null ? null : (
                    <span class="soft">
                      {' '}
                      let through by {change.decided_by === 'policy' ? "the pair's settings" : change.decided_by}
                    </span>
                  )}
                </p>
                <Steps change={change} />
              </li>
            ))}
          </ul>
        )}
        {changes.more === undefined ? null : (
          <button type="button" onClick={changes.more} aria-busy={changes.loading}>
            Load more
          </button>
        )}
      </Card>
    </>
  );
}

function Objects({ title, objects }: { readonly title: string; readonly objects: readonly string[] }) {
  return (
    <Card title={title}>
      {objects.length === 0 ? (
        <p class="soft">Nothing.</p>
      ) : (
        <details open={objects.length <= 12}>
          <summary>{counted(objects.length, 'object')}</summary>
          <ul class="objects">
            {objects.map((object) => (
              <li key={object}>{object}</li>
            ))}
          </ul>
        </details>
      )}
    </Card>
  );
}
