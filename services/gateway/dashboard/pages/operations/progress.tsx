import type { OperationState, OperationView } from '#schemas/http/operations.ts';
import { count, counted } from '../../format.ts';
import { ProgressBar } from '../../ui/progress.tsx';

const open: ReadonlySet<OperationState> = new Set(['pending', 'running', 'stopping']);

/** Something of it is still to come. */
export const isOpen = ({ state }: Pick<OperationView, 'state'>): boolean => open.has(state);

/** How far an operation is; of one that is over, what it has done. */
export function OperationProgress({ operation }: { readonly operation: OperationView }) {
  const { progress, counts, error } = operation;
  if (error !== null) return <span class="problem-text">{error.message}</span>;
  const figure = (name: string): number | null => {
    const value = progress[name];
    return typeof value === 'number' ? value : null;
  };
  const copied = figure('rows_copied');
  if (isOpen(operation) && copied !== null) {
    return (
      <ProgressBar
        label={`Rows of ${operation.pair.name}`}
        done={copied}
        total={figure('rows_total')}
        rate={figure('rows_per_second')}
        secondsLeft={figure('seconds_left')}
      />
    );
  }
  const changes = counts.inserted + counts.updated + counts.deleted;
  return (
    <span class="soft">
      {counted(counts.rows_copied, 'row')} copied, {count(changes)} changes applied
      {counts.dead_letters === 0 ? '' : `, ${counted(counts.dead_letters, 'dead letter')}`}
    </span>
  );
}
