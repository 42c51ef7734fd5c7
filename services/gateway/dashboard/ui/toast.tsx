import { signal } from '@preact/signals';
import { asApi } from '../app/hooks.ts';

interface Toast {
  readonly id: number;
  readonly tone: 'good' | 'bad';
  readonly text: string;
  readonly detail: string;
}

const toasts = signal<readonly Toast[]>([]);
let last = 0;

/** Good news goes by itself; a failure stays until it was read. */
const SHOWN_FOR = 6000;

export function toast(text: string): void {
  const id = add({ tone: 'good', text, detail: '' });
  setTimeout(() => {
    drop(id);
  }, SHOWN_FOR);
}

export function toastFailure(error: unknown): void {
  const { message, fix, code, requestId } = asApi(error);
  add({
    tone: 'bad',
    text: message,
    detail: `${fix} (${code}${requestId === undefined ? '' : `, request ${requestId}`})`,
  });
}

function add(made: Omit<Toast, 'id'>): number {
  last += 1;
  // More than a few nobody reads.
  toasts.value = [...toasts.value, { ...made, id: last }].slice(-4);
  return last;
}

function drop(id: number): void {
  toasts.value = toasts.value.filter((shown) => shown.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, tone, text, detail }) => (
        <div key={id} class={`toast ${tone}`}>
          <div>
            <p class="notice-title">{text}</p>
            {detail === '' ? null : <p>{detail}</p>}
          </div>
          <button
            type="button"
            class="icon-button"
            aria-label="Dismiss"
            onClick={() => {
              drop(id);
            }}
          >
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
