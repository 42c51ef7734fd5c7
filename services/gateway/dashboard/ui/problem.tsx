import type { ApiError } from '../app/client.ts';
import { Time } from './time.tsx';

export interface ProblemProps {
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  readonly since?: string | undefined;
  readonly requestId?: string | undefined;
  readonly tone?: 'bad' | 'busy';
}

/** What is wrong, and what to do about it. */
export function Problem({ code, message, fix, since, requestId, tone = 'bad' }: ProblemProps) {
  return (
    <div class={`notice ${tone}`}>
      <p class="notice-title">{message}</p>
      {fix === '' ? null : <p>{fix}</p>}
      <p class="notice-facts">
        <code>{code}</code>
        {since === undefined ? null : (
          <>
            {' · for '}
            <Time at={since} span />
          </>
        )}
        {requestId === undefined ? null : (
          <>
            {' · request '}
            <code>{requestId}</code>
          </>
        )}
      </p>
    </div>
  );
}

/** The same for an answer of the gateway. Told to screen readers when it appears. */
export function Failure({ error }: { readonly error: ApiError | undefined }) {
  return (
    <div role="alert">
      {error === undefined ? null : (
        <Problem code={error.code} message={error.message} fix={error.fix} requestId={error.requestId} />
      )}
    </div>
  );
}
