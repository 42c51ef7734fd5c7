import { hostname } from 'node:os';
import type { Log } from '#services/kernel/log.ts';
import type { Control } from './control.ts';

/**
 * Notes in the trail that this process has started, and, when disposed, that it has stopped as it was told to. One that starts without
 * having stopped was killed. What cannot be noted stops nothing.
 */
export async function noteLife(
  { audit }: Pick<Control, 'audit'>,
  name: string,
  details: Readonly<Record<string, unknown>>,
  log: Log,
): Promise<AsyncDisposable> {
  const instance = `${hostname()}:${process.pid}`;
  const note = async (event: 'component.started' | 'component.stopped'): Promise<void> => {
    try {
      await audit.event({ name: event, entityId: name, actor: name, details: { instance, ...details } });
    } catch (error) {
      log.warn({ error, event }, 'The audit trail could not be told.');
    }
  };
  await note('component.started');
  return { [Symbol.asyncDispose]: () => note('component.stopped') };
}
