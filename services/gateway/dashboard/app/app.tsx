import { Shell } from './shell.tsx';
import { session } from './session.ts';
import { SignIn } from './sign-in.tsx';
import { Toasts } from '../ui/toast.tsx';

export function App() {
  const { state } = session.value;
  return (
    <>
      {state === 'checking' ? <p class="splash soft">Connecting …</p> : state === 'out' ? <SignIn /> : <Shell />}
      <Toasts />
    </>
  );
}
