import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { navigate, place } from '../../app/router.ts';
import { Action } from '../../ui/action.tsx';
import { Empty } from '../../ui/empty.tsx';
import { PageHead } from '../../ui/page.tsx';
import { CheckStep } from './check-step.tsx';
import { firstOpenStep, steps, type Step } from './draft.ts';
import { MappingStep } from './mapping-step.tsx';
import { ReviewStep } from './review-step.tsx';
import { RulesStep } from './rules-step.tsx';
import { draft, forgetDraft, notKept } from './store.ts';
import { SystemsStep } from './systems-step.tsx';
import { TablesStep } from './tables-step.tsx';

const bodies: Readonly<Record<Step, { readonly label: string; readonly Body: ComponentType }>> = {
  systems: { label: 'Source and target', Body: SystemsStep },
  tables: { label: 'Tables', Body: TablesStep },
  mapping: { label: 'Mapping', Body: MappingStep },
  rules: { label: 'Rules', Body: RulesStep },
  check: { label: 'Check', Body: CheckStep },
  review: { label: 'Review', Body: ReviewStep },
};

export const stepHref = (step: Step): string => `/dashboard/pairs/new/step/${step}`;

/** A pair step by step. Each step has an address of its own, so that the browser's "back" goes one step back. */
export function NewPair({ step }: { readonly step: string }) {
  const known = steps.find((each) => each === step);
  const open = firstOpenStep(draft.value);
  const early = known !== undefined && open !== undefined && steps.indexOf(known) > steps.indexOf(open);
  useEffect(() => {
    if (early) navigate(stepHref(open), { replace: true });
  }, [early, open]);
  const Body = known && !early ? bodies[known].Body : undefined;
  return (
    <>
      <PageHead title="New pair" under={{ label: 'Pairs', href: '/dashboard/pairs' }}>
        <Action
          label="Start over"
          role="editor"
          run={() => {
            forgetDraft();
            navigate(stepHref('systems'));
            return Promise.resolve();
          }}
          confirm={{ title: 'Forget what has been filled in?', text: 'Systems that were registered stay registered.' }}
        />
      </PageHead>
      <nav aria-label="Steps">
        <ol class="wizard-steps">
          {steps.map((each, index) => {
            const reachable = open === undefined || index <= steps.indexOf(open);
            return (
              <li key={each}>
                {reachable ? (
                  <a href={stepHref(each)} {...(each === known ? { 'aria-current': 'step' as const } : {})}>
                    <span class="step-number">{index + 1}</span> {bodies[each].label}
                  </a>
                ) : (
                  <span class="soft">
                    <span class="step-number">{index + 1}</span> {bodies[each].label}
                  </span>
                )}
              </li>
            );
          })}
        </ol>
      </nav>
      {notKept.value ? (
        <div class="notice busy" role="status">
          This is more than the browser keeps over a reload. Do not close this page until the pair is made.
        </div>
      ) : null}
      {Body ? (
        <Body />
      ) : known === undefined ? (
        <Empty title={`There is no step “${step}”`} action={<a href={stepHref('systems')}>To the first step</a>} />
      ) : null}
    </>
  );
}

/** Back and on. */
export function StepButtons({
  next,
  disabled = false,
  label,
}: {
  readonly next?: Step;
  readonly disabled?: boolean;
  readonly label?: string;
}) {
  const here = steps.findIndex((each) => place.value.path === stepHref(each));
  const back = steps[here - 1];
  return (
    <div class="wizard-buttons">
      {back === undefined ? (
        <span />
      ) : (
        <a class="button" href={stepHref(back)}>
          Back
        </a>
      )}
      {next === undefined ? null : (
        <button
          type="button"
          class="main"
          disabled={disabled}
          onClick={() => {
            navigate(stepHref(next));
          }}
        >
          {label ?? `On to ${bodies[next].label.toLowerCase()}`}
        </button>
      )}
    </div>
  );
}
