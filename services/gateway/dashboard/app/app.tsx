import { Failure } from '../ui/problem.tsx';
import { Toasts } from '../ui/toast.tsx';
import { session } from './session.ts';
import { Shell } from './shell.tsx';
import { SignIn } from './sign-in.tsx';

export function App() {
  return (
    <>
      <Body />
      <Toasts />
    </>
  );
}

function Body() {
  const now = session.value;
  switch (now.state) {
    case 'in':
      return <Shell who={now.who} />;
    case 'out':
      return <SignIn problem={now.problem} />;
    case 'checking':
      return (
        <main class="splash">
          <h1 class="soft">Connecting …</h1>
          <Failure error={now.problem} />
        </main>
      );
  }
}
