import { useState } from 'preact/hooks';
import { TextField } from '../ui/field.tsx';
import { Failure, Problem } from '../ui/problem.tsx';
import type { ApiError } from './client.ts';
import { asApi } from './hooks.ts';
import { signIn } from './session.ts';

/** @param problem why whoever was in is out */
export function SignIn({ problem: ended }: { readonly problem: ApiError | undefined }) {
  const [key, setKey] = useState('');
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<ApiError | undefined>(undefined);
  return (
    <main class="sign-in">
      <h1>
        <img src="/dashboard/icon.svg" alt="" width="36" height="36" /> TerraFusion Sync
      </h1>
      <form
        class="card"
        aria-label="Sign in"
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          signIn(key.trim())
            .catch((error: unknown) => {
              setFailed(asApi(error));
            })
            .finally(() => {
              setBusy(false);
            });
        }}
      >
        <TextField
          label="API key"
          type="password"
          placeholder="tfk_…"
          required
          autofocus
          spellcheck={false}
          value={key}
          onInput={setKey}
          help={
            <>
              The browser keeps a session and not the key; it ends when it is left alone, or with “Sign out”. The first
              administrator key was shown when TerraFusion Sync was started for the first time; it is in the file that{' '}
              <code>terrafusion up</code> names.
            </>
          }
        />
        <SignInProblem error={failed ?? ended} />
        <button type="submit" class="main" disabled={busy || key.trim() === ''} aria-busy={busy}>
          Sign in
        </button>
      </form>
    </main>
  );
}

/** What the gateway tells programs to do about a wrong key is not what a person does. */
function SignInProblem({ error }: { readonly error: ApiError | undefined }) {
  if (error?.code !== 'UNAUTHENTICATED') return <Failure error={error} />;
  return (
    <div role="alert">
      <Problem
        code={error.code}
        message={error.message}
        fix="See that the whole key was pasted. An administrator can make a new one."
        requestId={error.requestId}
      />
    </div>
  );
}
