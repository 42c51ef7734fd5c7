import type { DeadLetterView } from '#schemas/http/dead-letters.ts';
import type { RuleInput, TableInput } from '#schemas/pairs.ts';
import { readPair } from '../../api/pairs.ts';
import { useLoaded } from '../../app/hooks.ts';
import { pathOf } from '../../app/paths.ts';

/** The rule as it is now: it may have been changed since it refused the row. */
export function RuleText({ letter, rule }: { readonly letter: DeadLetterView; readonly rule: string }) {
  const { pair, source_table } = letter;
  const { data } = useLoaded(`pair ${pair.id}`, (signal) => readPair(pair.id, { signal }));
  if (data === undefined) return null;
  const tables = (data.definition.tables ?? []) as readonly Partial<TableInput>[];
  const now: RuleInput | undefined = tables
    .find(({ source }) => source === source_table)
    ?.rules?.find(({ name }) => name === rule);
  const mapping = pathOf('/dashboard/pairs/:pair/mapping', { pair: pair.name });
  return (
    <p>
      {now === undefined ? (
        <>The pair has no rule of this name any more; a replay goes by the ones it has now. </>
      ) : letter.reason.includes(now.check) ? (
        <>The rule stands as it was: </>
      ) : (
        <>
          The rule is now <code>{now.check}</code>.{' '}
        </>
      )}
      <a href={mapping}>the mapping of {pair.name}</a>
    </p>
  );
}
