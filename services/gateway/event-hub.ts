import type { ServerResponse } from 'node:http';
import type { ServerEvent } from '#schemas/http/events.ts';
import type { PairSummary } from '#schemas/http/pairs.ts';
import type { StatusView } from '#schemas/http/status.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Log } from '#services/kernel/log.ts';

export interface EventHubOptions {
  /** What is to be shown now. */
  readonly read: () => Promise<StatusView>;
  readonly clock: Clock;
  readonly log: Log;
  /** How often it is looked, in ms; only while somebody listens. */
  readonly everyMs?: number;
  /** Bytes that may wait for one listener; beyond, it is cut off and starts anew. (Promise 6) */
  readonly bufferBytes?: number;
}

interface Listener {
  readonly response: ServerResponse;
  /** Whether it may still listen; asked now and then, since keys are revoked. */
  readonly mayListen: () => Promise<boolean>;
  askedAt: number;
  greeted: boolean;
}

/** How often a quiet stream says that it lives, in ms: proxies close silent connections. */
const COMMENT_EVERY = 15_000;
const ASK_EVERY = 60_000;

/** Server-sent events: one look at the control database for all who listen, and to each only what has changed. */
export class EventHub implements AsyncDisposable {
  readonly #options: Required<EventHubOptions>;
  readonly #listeners = new Set<Listener>();
  readonly #stop = new AbortController();
  #work: Promise<void> | undefined;
  #wake: AbortController | undefined;
  #pairs = new Map<string, string>();
  #components = '';
  #alerts = '';
  #lastComment = 0;

  constructor(options: EventHubOptions) {
    this.#options = { everyMs: 1000, bufferBytes: 1024 * 1024, ...options };
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** Takes over the reply: it is a stream of events from now on, until its reader goes, is too slow, or we stop. */
  add(response: ServerResponse, mayListen: () => Promise<boolean>): void {
    const listener: Listener = { response, mayListen, askedAt: this.#options.clock.monotonic(), greeted: false };
    this.#listeners.add(listener);
    response.on('close', () => {
      this.#listeners.delete(listener);
    });
    response.write('retry: 2000\n\n');
    this.#wake?.abort();
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const { response } of this.#listeners) response.end();
    await this.#work;
  }

  async #run(): Promise<void> {
    const { clock, log, everyMs, read } = this.#options;
    while (this.#listeners.size > 0 && !this.#stop.signal.aborted) {
      // Made before the look: who comes while it is under way is greeted by the next one, at once.
      this.#wake = new AbortController();
      const wake = this.#wake.signal;
      try {
        await this.#dropRevoked();
        this.#tell(await read());
      } catch (error) {
        log.warn({ error }, 'What event streams should show could not be read.');
      }
      await clock.sleep(everyMs, AbortSignal.any([wake, this.#stop.signal])).catch(() => undefined);
    }
    this.#pairs.clear();
    this.#components = this.#alerts = '';
  }

  #tell(status: StatusView): void {
    const changes = this.#changesIn(status);
    const { clock } = this.#options;
    const quiet = clock.monotonic() - this.#lastComment >= COMMENT_EVERY;
    const text = changes.map(format).join('') + (quiet ? ': here\n\n' : '');
    if (quiet) this.#lastComment = clock.monotonic();
    const greeting = () =>
      [
        format({ type: 'pairs', data: { items: status.pairs } }),
        format({ type: 'components', data: { items: status.components } }),
        format({ type: 'alerts', data: { items: status.alerts } }),
      ].join('');
    let whole: string | undefined;
    for (const listener of this.#listeners) {
      this.#send(listener, listener.greeted ? text : (whole ??= greeting()));
      listener.greeted = true;
    }
  }

  #changesIn({ pairs, components, alerts }: StatusView): ServerEvent[] {
    const now = new Map(pairs.map((pair) => [pair.id, JSON.stringify(pair)]));
    const changed = pairs.filter((pair: PairSummary) => this.#pairs.get(pair.id) !== now.get(pair.id));
    const gone = [...this.#pairs.keys()].filter((id) => !now.has(id));
    const events: ServerEvent[] = [
      ...changed.map((data) => ({ type: 'pair' as const, data })),
      ...gone.map((id) => ({ type: 'pair_deleted' as const, data: { id } })),
    ];
    const componentsNow = JSON.stringify(components);
    if (componentsNow !== this.#components) events.push({ type: 'components', data: { items: components } });
    const alertsNow = JSON.stringify(alerts);
    if (alertsNow !== this.#alerts) events.push({ type: 'alerts', data: { items: alerts } });
    this.#pairs = now;
    this.#components = componentsNow;
    this.#alerts = alertsNow;
    return events;
  }

  #send(listener: Listener, text: string): void {
    const { response } = listener;
    if (text === '' || response.destroyed || response.writableEnded) return;
    if (response.writableLength > this.#options.bufferBytes) {
      this.#listeners.delete(listener);
      response.destroy();
      return;
    }
    response.write(text);
  }

  async #dropRevoked(): Promise<void> {
    const now = this.#options.clock.monotonic();
    for (const listener of [...this.#listeners]) {
      if (now - listener.askedAt < ASK_EVERY) continue;
      listener.askedAt = now;
      if (!(await listener.mayListen())) listener.response.end();
    }
  }
}

function format({ type, data }: ServerEvent): string {
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
