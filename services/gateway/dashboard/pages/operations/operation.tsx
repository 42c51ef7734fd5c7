import { readOperation } from '../../api/operations.ts';
import { useLoaded } from '../../app/hooks.ts';
import { pathOf } from '../../app/paths.ts';
import { count } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Card, Figure, PageHead } from '../../ui/page.tsx';
import { Failure, Problem } from '../../ui/problem.tsx';
import { Time } from '../../ui/time.tsx';
import { OperationProgress } from './progress.tsx';

export function Operation({ operation: id }: { readonly operation: string }) {
  const { data: operation, error } = useLoaded(`operation ${id}`, (signal) => readOperation(id, { signal }), {
    every: 2000,
  });
  const title = operation === undefined ? 'Operation' : `${operation.type} of ${operation.pair.name}`;
  return (
    <>
      <PageHead
        title={title}
        under={{ label: 'Operations', href: '/dashboard/operations' }}
        badge={operation === undefined ? null : <Badge state={operation.state} />}
      />
      <Failure error={error} />
      {operation === undefined ? null : (
        <>
          {operation.error === null ? null : <Problem {...operation.error} />}
          <Card title="Progress">
            <OperationProgress operation={operation} />
          </Card>
          <Card title="Figures">
            <dl class="figures">
              <Figure
                label="Pair"
                value={
                  <a href={pathOf('/dashboard/pairs/:pair', { pair: operation.pair.name })}>{operation.pair.name}</a>
                }
              />
              <Figure label="Asked by" value={operation.started_by} />
              <Figure label="Begun" value={<Time at={operation.started_at} />} />
              <Figure label="Ended" value={<Time at={operation.finished_at} />} />
              <Figure label="Rows copied" value={count(operation.counts.rows_copied)} />
              <Figure label="Inserted" value={count(operation.counts.inserted)} />
              <Figure label="Updated" value={count(operation.counts.updated)} />
              <Figure label="Deleted" value={count(operation.counts.deleted)} />
              <Figure label="Dead letters" value={count(operation.counts.dead_letters)} />
            </dl>
          </Card>
        </>
      )}
    </>
  );
}
