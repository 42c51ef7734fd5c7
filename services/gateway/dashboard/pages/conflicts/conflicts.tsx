import { Empty } from '../../ui/empty.tsx';
import { PageHead } from '../../ui/page.tsx';

/** This version keeps no conflicts (infra/decisions/0025): the source wins, and what the target refuses is a dead letter. */
export function Conflicts() {
  return (
    <>
      <PageHead title="Conflicts" />
      <Empty title="There are no conflicts" action={<a href="/dashboard/dead-letters">To the dead letters</a>}>
        Every pair works by the rule “the source wins”, so no change waits for somebody to decide. Rows that the target
        refuses, because somebody else writes there, are kept as dead letters.
      </Empty>
    </>
  );
}
