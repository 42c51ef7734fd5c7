/** Waits for the promise, but no longer than that. */
export async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  const timeout = Promise.withResolvers<undefined>();
  const timer = setTimeout(timeout.resolve, ms, undefined);
  await Promise.race([promise, timeout.promise]);
  clearTimeout(timer);
}
