import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { pairs } from '../app/live.ts';
import { place, setQuery } from '../app/router.ts';

/** A filter of the address: what it is called there, and what people read. */
interface FilterProps {
  readonly name: string;
  readonly label: string;
}

/** Filters of a list, which stand in the address; what is said about the list stands at the right. */
export function Filters({
  names,
  told,
  children,
}: {
  /** All filters of the list: "clear" takes them away. */
  readonly names: readonly string[];
  readonly told?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  const { query } = place.value;
  const some = names.some((name) => query.has(name));
  return (
    <div class="filters" role="search">
      {children}
      {some ? (
        <button
          type="button"
          class="link"
          onClick={() => {
            setQuery(Object.fromEntries(names.map((name) => [name, undefined])));
          }}
        >
          Clear filters
        </button>
      ) : null}
      {told === undefined ? null : <span class="soft">{told}</span>}
    </div>
  );
}

export function SelectFilter({
  name,
  label,
  every,
  options,
}: FilterProps & {
  /** What stands there when nothing is chosen: "Every state". */
  readonly every: string;
  readonly options: readonly { readonly value: string; readonly label: string }[];
}) {
  const value = place.value.query.get(name) ?? '';
  // A link may name what is not in the list (any more): it is shown all the same.
  const known = value === '' || options.some((option) => option.value === value);
  return (
    <label>
      <span class="sr-only">{label}</span>
      <select
        value={value}
        onChange={(event) => {
          setQuery({ [name]: event.currentTarget.value });
        }}
      >
        <option value="">{every}</option>
        {known ? null : <option value={value}>{value}</option>}
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </label>
  );
}

export function PairFilter() {
  return (
    <SelectFilter
      name="pair"
      label="Pair"
      every="Every pair"
      options={pairs.value.map(({ name }) => ({ value: name, label: name }))}
    />
  );
}

/** A text to look for; with a list, its entries are offered. */
export function SearchField({
  label,
  placeholder,
  value,
  onInput,
  list,
}: {
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly onInput: (text: string) => void;
  readonly list?: readonly string[] | undefined;
}) {
  const listId = useId();
  return (
    <label>
      <span class="sr-only">{label}</span>
      <input
        type="search"
        placeholder={placeholder}
        value={value}
        {...(list === undefined ? {} : { list: listId })}
        onInput={(event) => {
          onInput(event.currentTarget.value);
        }}
      />
      {list === undefined ? null : (
        <datalist id={listId}>
          {list.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </label>
  );
}

/** Waits until nobody types any more, in ms. */
const TYPING = 350;

export function TextFilter({
  name,
  label,
  placeholder = label,
  list,
}: FilterProps & { readonly placeholder?: string; readonly list?: readonly string[] }) {
  const value = place.value.query.get(name) ?? '';
  const [text, setText] = useState(value);
  const sent = useRef(value);
  const timer = useRef(0);
  useEffect(() => {
    // Changed by a link or by "Clear filters", and not by what was typed here.
    if (value === sent.current) return;
    sent.current = value;
    setText(value);
  }, [value]);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
    },
    [],
  );
  return (
    <SearchField
      label={label}
      placeholder={placeholder}
      value={text}
      list={list}
      onInput={(typed) => {
        setText(typed);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => {
          sent.current = typed;
          setQuery({ [name]: typed });
        }, TYPING);
      }}
    />
  );
}

const HOUR = 3_600_000;
const spans: readonly { readonly value: string; readonly label: string; readonly ms: number }[] = [
  { value: '1h', label: 'Last hour', ms: HOUR },
  { value: '24h', label: 'Last 24 hours', ms: 24 * HOUR },
  { value: '7d', label: 'Last 7 days', ms: 7 * 24 * HOUR },
  { value: '30d', label: 'Last 30 days', ms: 30 * 24 * HOUR },
];

/** What {@link TimeFilter} puts into the address. */
export const TIME_FILTERS = ['within', 'since', 'until'] as const;

/** A span up to now, or two moments (in the browser's own time). */
export function TimeFilter() {
  const { query } = place.value;
  const [since, until] = [query.get('since') ?? '', query.get('until') ?? ''];
  const between = query.has('since') || query.has('until');
  return (
    <>
      <label>
        <span class="sr-only">Time</span>
        <select
          value={between ? 'between' : (query.get('within') ?? '')}
          onChange={(event) => {
            const { value } = event.currentTarget;
            if (value === 'between')
              setQuery({ within: undefined, since: new Date(Date.now() - 24 * HOUR).toISOString() });
            else setQuery({ within: value, since: undefined, until: undefined });
          }}
        >
          <option value="">Any time</option>
          {spans.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
          <option value="between">Between …</option>
        </select>
      </label>
      {between ? (
        <>
          <Moment name="since" label="From" value={since} />
          <Moment name="until" label="Until" value={until} />
        </>
      ) : null}
    </>
  );
}

function Moment({ name, label, value }: FilterProps & { readonly value: string }) {
  return (
    <label class="moment">
      <span class="soft">{label}</span>
      <input
        type="datetime-local"
        value={localText(value)}
        onChange={(event) => {
          const at = new Date(event.currentTarget.value);
          setQuery({ [name]: Number.isNaN(at.getTime()) ? undefined : at.toISOString() });
        }}
      />
    </label>
  );
}

/** As an input of this type takes it: local time, to the minute. */
function localText(moment: string): string {
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The chosen time as the API takes it. A span is counted back from the moment of asking. */
export function timeQuery(query: URLSearchParams): { since?: string; until?: string } {
  const span = spans.find(({ value }) => value === query.get('within'));
  if (span) return { since: new Date(Date.now() - span.ms).toISOString() };
  const given = (name: 'since' | 'until') => {
    const at = new Date(query.get(name) ?? '');
    return Number.isNaN(at.getTime()) ? {} : { [name]: at.toISOString() };
  };
  return { ...given('since'), ...given('until') };
}

/** Names a list by its filters, so that it is read again when one changes. */
export const filterKey = (query: URLSearchParams, names: readonly string[]): string =>
  names.map((name) => query.get(name) ?? '').join('\u0000');
