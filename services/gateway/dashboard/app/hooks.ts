import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, pause } from './client.ts';

/** Something that is read from the gateway; what was read last is kept when a later try fails. */
export interface Loaded<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  readonly reload: () => void;
}

/** What was read last, so that coming back to a page shows it at once while it is read again. */
const remembered = new Map<string, unknown>();
const REMEMBERED = 60;

function remember(key: string, data: unknown): void {
  remembered.delete(key);
  remembered.set(key, data);
  if (remembered.size > REMEMBERED) remembered.delete(remembered.keys().next().value!);
}

/** For when somebody else comes. */
export function forgetAll(): void {
  remembered.clear();
}

/**
 * Reads when the component appears and when `key` changes, and again every so many ms while somebody looks.
 * `key` names what is read: with another one, what was read before is forgotten.
 */
export function useLoaded<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  { every }: { readonly every?: number } = {},
): Loaded<T> {
  const [state, setState] = useState<{ key: string; data?: T | undefined; error?: ApiError | undefined }>({
    key,
    data: remembered.get(key) as T | undefined,
  });
  const [loading, setLoading] = useState(true);
  const [asked, ask] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const gone = new AbortController();
    const look = async (): Promise<void> => {
      for (;;) {
        if (every === undefined || document.visibilityState === 'visible') {
          setLoading(true);
          await latest.current(gone.signal).then(
            (data) => {
              if (gone.signal.aborted) return;
              remember(key, data);
              setState({ key, data });
            },
            (error: unknown) => {
              if (gone.signal.aborted) return;
              setState((before) => ({ key, data: before.key === key ? before.data : undefined, error: asApi(error) }));
            },
          );
          if (gone.signal.aborted) return;
          setLoading(false);
        }
        if (every === undefined) return;
        await pause(every, gone.signal);
      }
    };
    look().catch(() => undefined);
    return () => {
      gone.abort();
    };
  }, [key, every, asked]);
  const reload = useCallback(() => {
    ask((times) => times + 1);
  }, []);
  const fresh = state.key === key;
  const data = fresh ? state.data : (remembered.get(key) as T | undefined);
  return { data, error: fresh ? state.error : undefined, loading, reload };
}

/** A page of a list, as every list endpoint answers. */
export interface ListPage<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

export interface Listed<Item> {
  /** undefined until the first page is there. */
  readonly items: readonly Item[] | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  /** Reads the next page; undefined on the last one. */
  readonly more: (() => void) | undefined;
  readonly reload: () => void;
}

/**
 * A list that is read page by page. `every`: the first page is read again every so many ms, as long as it is the only one shown:
 * under somebody who reads further down nothing moves.
 */
export function useList<Item>(
  key: string,
  load: (cursor: string | undefined, signal: AbortSignal) => Promise<ListPage<Item>>,
  { every }: { readonly every?: number } = {},
): Listed<Item> {
  const [rest, setRest] = useState<{ key: string; pages: readonly ListPage<Item>[] }>({ key, pages: [] });
  const [failed, setFailed] = useState<ApiError | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const pages = rest.key === key ? rest.pages : [];
  const first = useLoaded(
    key,
    (signal) => load(undefined, signal),
    every === undefined || pages.length > 0 ? {} : { every },
  );
  const all = first.data === undefined ? undefined : [first.data, ...pages];
  const cursor = all?.at(-1)?.next_cursor ?? null;
  const more = (): void => {
    if (cursor === null || busy) return;
    setBusy(true);
    load(cursor, new AbortController().signal)
      .then(
        (page) => {
          setRest({ key, pages: [...pages, page] });
          setFailed(undefined);
        },
        (error: unknown) => {
          setFailed(asApi(error));
        },
      )
      .finally(() => {
        setBusy(false);
      });
  };
  return {
    items: all?.flatMap(({ items }) => items),
    error: first.error ?? failed,
    loading: first.loading || busy,
    more: cursor === null ? undefined : more,
    reload: () => {
      setRest({ key, pages: [] });
      first.reload();
    },
  };
}

/** Whatever was thrown, as something that can be shown. */
export function asApi(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, {
    code: 'INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    fix: 'Reload the page. If it comes again, tell the developers what was done before.',
  });
}
