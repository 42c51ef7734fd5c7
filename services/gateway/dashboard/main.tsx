import { render } from 'preact';
import { App } from './app/app.tsx';
import { startRouter } from './app/router.ts';
import { openSession } from './app/session.ts';
import './styles/main.css';

startRouter();
render(<App />, document.getElementById('app')!);
void openSession();
