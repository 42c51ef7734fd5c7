import type { SchemaChangeView } from '#schemas/http/schema-changes.ts';
import { approveChange } from '../../api/pairs.ts';
import { Action } from '../../ui/action.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Card } from '../../ui/page.tsx';
import { Time } from '../../ui/time.tsx';

/** A change of the source's tables that the pair stands before, with what would be done at the target. */
export function WaitingChange({
  pair,
  change,
  reload,
}: {
  readonly pair: string;
  readonly change: SchemaChangeView;
  readonly reload: () => void;
}) {
  const destroys = change.steps.some(({ kind }) => kind !== 'additive');
  return (
    <Card
      title="A schema change waits for approval"
      actions={
        <Action
          label="Approve"
          role="editor"
          kind={destroys ? 'danger' : 'main'}
          run={() => approveChange(pair, change.id).then(reload)}
          done="Approved: the statements run in their place, and the stream goes on."
          {...(destroys
            ? {
                confirm: {
                  title: 'Let this change through?',
                  text: <Steps change={change} />,
                },
              }
            : {})}
        />
      }
    >
      <p class="soft">
        It has waited for <Time at={change.created_at} span />. Changes wait in the topic meanwhile; nothing is lost.
      </p>
      <Steps change={change} />
    </Card>
  );
}

export function Steps({ change }: { readonly change: SchemaChangeView }) {
  return (
    <ul class="steps">
      {change.steps.map(({ kind, what, sql }) => (
        <li key={what}>
          <p>
            <Badge state={kind} tone={kind === 'additive' ? 'good' : kind === 'destructive' ? 'bad' : 'busy'} /> {what}
          </p>
          {sql.length === 0 ? null : <pre tabIndex={0}>{sql.join(';\n')}</pre>}
        </li>
      ))}
    </ul>
  );
}
