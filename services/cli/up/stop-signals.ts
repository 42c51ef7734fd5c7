/** What is used of `process`. */
export interface SignalSource {
  on(signal: NodeJS.Signals | 'disconnect', listener: () => void): unknown;
  off(signal: NodeJS.Signals | 'disconnect', listener: () => void): unknown;
}

/** Signals of one key press: a terminal gives Ctrl-C to all processes of the group, and npm hands it on once more. */
const ONE_PRESS_MS = 500;

/**
 * SIGINT, SIGTERM and SIGHUP ask to stop, as does the end of whoever started us over a channel; asked again, later than the same key
 * press, `onSecond` is called.
 */
export function stopOnSignals(
  source: SignalSource,
  now: () => number,
  onFirst: () => void,
  onSecond: () => void,
): { readonly signal: AbortSignal } & Disposable {
  const stop = new AbortController();
  let first = 0;
  const onSignal = (): void => {
    if (!stop.signal.aborted) {
      first = now();
      stop.abort(new Error('asked to stop'));
      onFirst();
    } else if (now() - first > ONE_PRESS_MS) onSecond();
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const;
  for (const name of names) source.on(name, onSignal);
  return {
    signal: stop.signal,
    [Symbol.dispose]: () => {
      for (const name of names) source.off(name, onSignal);
    },
  };
}
