import type { ComponentChildren } from 'preact';
import { cutOverPair, deletePair, fencePair, resyncPair } from '../../api/pairs.ts';
import { navigate } from '../../app/router.ts';
import { count, duration } from '../../format.ts';
import { Action } from '../../ui/action.tsx';
import { Card } from '../../ui/page.tsx';
import { toast } from '../../ui/toast.tsx';
import type { PairTabProps } from './pair.tsx';

/** What is done to the pair as a whole. */
export function Commands({ pair, reload }: PairTabProps) {
  const { id, name } = pair;
  return (
    <Card title="Commands">
      <ul class="commands">
        <Command
          title="Wait for the target (fence)"
          text="Answers once everything that is committed at the source now is applied at the target."
          action={
            <Action
              label="Fence"
              role="operator"
              run={async () => {
                const { position, waited_ms } = await fencePair(id);
                toast(`The target has everything up to ${position}; it took ${duration(waited_ms / 1000)}.`);
              }}
            />
          }
        />
        <Command
          title="Load everything anew"
          text="The rows of all tables are taken from the source again and replace those at the target, while the pair streams on."
          action={
            <Action
              label="Resync"
              role="operator"
              run={() => resyncPair(id).then(reload)}
              done={`${name} is being loaded anew.`}
              confirm={{
                title: `Load all tables of ${name} anew?`,
                text: `${pair.target.name} shows older rows until each table has caught up. The source has the work of a full read.`,
                name,
              }}
            />
          }
        />
        <Command
          title="Make the target ready to be written to (cut-over)"
          text="Waits until the target has everything, then moves its sequences to where the source's stand. Stop writing to the source first."
          action={
            <Action
              label="Cut over"
              role="operator"
              run={async () => {
                const { complete, sequences } = await cutOverPair(id);
                const open = sequences.filter(({ problem }) => problem !== null);
                if (!complete)
                  throw new Error(
                    `${count(open.length)} sequences could not be moved: ${open.map(({ sequence, problem }) => `${sequence} (${problem!.reason})`).join(', ')}`,
                  );
                toast(
                  `${pair.target.name} is ready: it has everything, and ${count(sequences.length)} sequences stand right.`,
                );
              }}
              confirm={{
                title: `Make ${pair.target.name} ready to be written to?`,
                text: `Nobody may write to ${pair.source.name} any more. Calling it again does no harm.`,
                name,
              }}
            />
          }
        />
        <Command
          title="Delete the pair"
          text="Slot, publication and topics are removed as soon as it works. The rows at the target stay."
          action={
            <Action
              label="Delete"
              role="editor"
              kind="danger"
              run={async () => {
                await deletePair(id, false);
                navigate('/dashboard/pairs');
              }}
              done={`${name} is deleted.`}
              confirm={{
                title: `Delete ${name}?`,
                text: `${pair.target.name} is not kept in step any more. Its rows stay; the settings and the mapping are gone.`,
                name,
              }}
            />
          }
        />
      </ul>
    </Card>
  );
}

function Command({
  title,
  text: what,
  action,
}: {
  readonly title: string;
  readonly text: string;
  readonly action: ComponentChildren;
}) {
  return (
    <li>
      <div>
        <p class="strong">{title}</p>
        <p class="soft">{what}</p>
      </div>
      {action}
    </li>
  );
}
