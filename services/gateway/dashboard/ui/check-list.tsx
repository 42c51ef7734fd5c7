import type { CheckView } from '#schemas/http/common.ts';
import { counted } from '../format.ts';
import { Badge } from './badge.tsx';

/** How a check came out: what stops a pair first. */
const rank = ({ ok, required }: CheckView): number => (ok ? 2 : required ? 0 : 1);

/** Preconditions by name: what was found and what mends it. Those that are good take no room until somebody asks for them. */
export function CheckList({ label, checks }: { readonly label: string; readonly checks: readonly CheckView[] }) {
  const sorted = [...checks].sort((a, b) => rank(a) - rank(b));
  const open = sorted.filter(({ ok }) => !ok);
  const good = sorted.filter(({ ok }) => ok);
  return (
    <div class="check-list">
      {open.length === 0 ? null : <Items label={label} checks={open} />}
      {good.length === 0 ? null : (
        <details open={open.length === 0}>
          <summary>
            {open.length === 0 ? `All ${counted(good.length, 'precondition')} met` : `${good.length} others met`}
          </summary>
          <Items label={`${label}: met`} checks={good} />
        </details>
      )}
    </div>
  );
}

function Items({ label, checks }: { readonly label: string; readonly checks: readonly CheckView[] }) {
  return (
    <ul class="checks" aria-label={label}>
      {checks.map((check) => (
        <li key={check.name}>
          <Verdict check={check} />
          <div>
            <p>
              <code>{check.name}</code> {check.message}
            </p>
            {check.ok || check.fix === undefined ? null : <p class="check-fix">{check.fix}</p>}
          </div>
        </li>
      ))}
    </ul>
  );
}

function Verdict({ check: { ok, required } }: { readonly check: CheckView }) {
  if (ok) return <Badge state="good" tone="good" label="met" />;
  return required ? (
    <Badge state="failed" tone="bad" label="not met" />
  ) : (
    <Badge state="advice" tone="busy" label="advice" />
  );
}
