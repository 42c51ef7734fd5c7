import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SessionView } from '#schemas/http/session.ts';
import { Badge } from '../ui/badge.tsx';
import { Empty } from '../ui/empty.tsx';
import { Icon } from '../ui/icon.tsx';
import { PageHead } from '../ui/page.tsx';
import { Failure } from '../ui/problem.tsx';
import { Time } from '../ui/time.tsx';
import { toastFailure } from '../ui/toast.tsx';
import { asApi } from './hooks.ts';
import { connection, followEvents, health } from './live.ts';
import { findPage, pages, type Page } from './pages.ts';
import { navigate, place } from './router.ts';
import { may, signOut } from './session.ts';
import { setTheme, theme, type Theme } from './theme.ts';

/** Navigation at the side (above, on a narrow screen), the page beside it. */
export function Shell({ who }: { readonly who: SessionView }) {
  const [open, setOpen] = useState(false);
  const { path } = place.value;
  useEffect(() => {
    const gone = new AbortController();
    void followEvents(gone.signal);
    return () => {
      gone.abort();
    };
  }, []);
  useEffect(() => {
    setOpen(false);
  }, [path]);
  return (
    <div class="shell">
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <div class="side">
        <div class="brand">
          <a href="/dashboard">
            <img src="/dashboard/icon.svg" alt="" width="26" height="26" /> TerraFusion Sync
          </a>
          <button
            type="button"
            class="icon-button menu"
            aria-expanded={open}
            aria-controls="navigation"
            aria-label="Navigation"
            onClick={() => {
              setOpen(!open);
            }}
          >
            <Icon name={open ? 'close' : 'menu'} />
          </button>
        </div>
        <div id="navigation" class={open ? 'side-body open' : 'side-body'}>
          <Navigation path={path} />
          <Foot who={who} />
        </div>
      </div>
      <main id="main" tabIndex={-1}>
        <Disconnected />
        {who.auth_required ? null : (
          <p class="notice busy">
            Keys are not required (AUTH_REQUIRED=false): everybody on this machine is an administrator here.
          </p>
        )}
        <CurrentPage path={path} />
      </main>
    </div>
  );
}

function Navigation({ path }: { readonly path: string }) {
  const current = sectionOf(path);
  return (
    <nav aria-label="Pages">
      <ul>
        {pages.map((page) => {
          const { navigation, title, role } = page;
          if (!navigation || !may(role)) return null;
          const count = navigation.count?.() ?? 0;
          return (
            <li key={page.path}>
              <a href={page.path} {...(page === current ? { 'aria-current': 'page' as const } : {})}>
                <Icon name={navigation.icon} />
                <span>{title}</span>
                {count === 0 ? null : <span class={`count ${navigation.countTone ?? 'calm'}`}>{count}</span>}
              </a>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

/** The page of the navigation that an address belongs to. */
function sectionOf(path: string): Page | undefined {
  const shown = findPage(path)?.page.path ?? '';
  return pages
    .filter(({ navigation, path: section }) => navigation && (shown === section || shown.startsWith(`${section}/`)))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

const themes: readonly { readonly value: Theme; readonly label: string }[] = [
  { value: 'system', label: 'Like the system' },
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
];

function Foot({ who }: { readonly who: SessionView }) {
  return (
    <div class="side-foot">
      <p class="who">
        <span class="strong">{who.name}</span> <span class="soft">{who.role}</span>
      </p>
      <p class="health" role="status">
        <span class="soft">State</span>{' '}
        <Badge state={health.value} label={connection.value.state === 'lost' ? 'not connected' : health.value} />
      </p>
      <label class="theme">
        <span class="soft">Colours</span>
        <select
          value={theme.value}
          onChange={(event) => {
            setTheme(event.currentTarget.value as Theme);
          }}
        >
          {themes.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <p class="side-links">
        <a href="/docs">API reference</a>
        {who.by === 'session' ? (
          <button
            type="button"
            class="link"
            onClick={() => {
              signOut().catch(toastFailure);
            }}
          >
            Sign out
          </button>
        ) : null}
      </p>
    </div>
  );
}

const clockTime = (at: number): string =>
  new Date(at).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });

function Disconnected() {
  const now = connection.value;
  return (
    <div role="status">
      {now.state === 'lost' ? (
        <div class="notice busy">
          <p class="notice-title">
            Disconnected since {clockTime(now.since)} (<Time at={new Date(now.since).toISOString()} />
            ): what is shown may be old.
          </p>
          <p>{now.reason} It is tried again by itself.</p>
        </div>
      ) : null}
    </div>
  );
}

type Opened =
  | { readonly state: 'loading' }
  | { readonly state: 'ready'; readonly Body: ComponentType<Record<string, string>>; readonly page: Page }
  | { readonly state: 'failed'; readonly error: unknown };

function CurrentPage({ path }: { readonly path: string }) {
  const found = findPage(path);
  const page = found?.page;
  const canonical = found?.canonical;
  const [opened, setOpened] = useState<Opened>({ state: 'loading' });
  const first = useRef(true);

  useEffect(() => {
    if (canonical !== undefined) navigate(canonical + location.search, { replace: true });
  }, [canonical]);
  useEffect(() => {
    document.title = `${page?.title ?? 'No such page'} – TerraFusion Sync`;
    if (!page) return;
    let wanted = true;
    page.load().then(
      (Body) => {
        if (wanted) setOpened({ state: 'ready', Body, page });
      },
      (error: unknown) => {
        if (wanted) setOpened({ state: 'failed', error });
      },
    );
    return () => {
      wanted = false;
    };
  }, [page]);
  // Who goes on with the keyboard or hears the page goes on from its heading.
  const ready = opened.state === 'ready' && opened.page === page;
  useEffect(() => {
    if (!ready) return;
    if (!first.current) document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true });
    first.current = false;
  }, [ready, path]);

  if (!found) return <NoSuchPage path={path} />;
  if (!may(found.page.role)) return <NotAllowed page={found.page} />;
  if (opened.state === 'failed') return <NotLoaded error={opened.error} />;
  if (opened.state === 'loading' || !ready) return <p class="soft loading">Loading …</p>;
  return <opened.Body key={path} {...found.params} />;
}

function NoSuchPage({ path }: { readonly path: string }) {
  return (
    <>
      <PageHead title="No such page" />
      <Empty title={`There is nothing at ${path}`} action={<a href="/dashboard">To the overview</a>}>
        The link may be older than what it points at.
      </Empty>
    </>
  );
}

/** Somebody with more rights has sent the link. */
function NotAllowed({ page: { title, role } }: { readonly page: Page }) {
  return (
    <>
      <PageHead title="Not for your role" />
      <Empty title={`“${title}” needs the role ${role}`} action={<a href="/dashboard">To the overview</a>}>
        Sign in with a key that has it, or ask an administrator for one.
      </Empty>
    </>
  );
}

/** The gateway was updated since this page was opened, or it is away. */
function NotLoaded({ error }: { readonly error: unknown }) {
  return (
    <>
      <PageHead title="This page could not be loaded" />
      <Failure error={asApi(error)} />
      <button
        type="button"
        class="main"
        onClick={() => {
          location.reload();
        }}
      >
        Reload
      </button>
    </>
  );
}
