import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { colours } from '../app/theme.ts';
import { inWords } from '../format.ts';

/** A line of a plot. */
export interface Line {
  readonly label: string;
  /** Of the design: "plot-1". */
  readonly colour: string;
  readonly values: readonly (number | null)[];
}

export interface PlotProps {
  readonly title: string;
  /** Seconds since 1970, one for each value. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  /** A value with its unit. */
  readonly format: (value: number) => string;
  readonly height?: number;
  /** Seconds from the left edge to the newest point: a line that has just begun is not stretched. */
  readonly span?: number;
  /** Said under the title instead of nothing while there are no points. */
  readonly waiting?: string;
}

/** Lines over time. Who does not see them gets the figures in words. */
export function Plot({ title, times, lines, format, height = 150, span, waiting = 'Collecting figures …' }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const shape = lines.map(({ label, colour }) => `${label}:${colour}`).join();
  const some = times.length > 1;

  useEffect(() => {
    const element = box.current;
    if (!element || !some) return;
    const made = new uPlot(options(element, lines, { format, height, span }), aligned(times, lines), element);
    plot.current = made;
    const watch = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height });
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [shape, height, span, some, colours.value]);
  useEffect(() => {
    plot.current?.setData(aligned(times, lines));
  });

  const told = lines.map(({ label, values }) => `${label}: ${inWords(values, format)}`).join('; ');
  return (
    <figure class="plot">
      <figcaption>
        <span class="plot-title">{title}</span>
        <span class="plot-legend" aria-hidden="true">
          {lines.map(({ label, colour, values }) => {
            const last = values.at(-1) ?? null;
            return (
              <span key={label}>
                <i class={`swatch ${colour}`} /> {lines.length > 1 ? `${label} ` : ''}
                <b>{last === null ? '–' : format(last)}</b>
              </span>
            );
          })}
        </span>
      </figcaption>
      <div role="img" aria-label={`${title}. ${told}`}>
        {some ? (
          <div ref={box} class="plot-canvas" style={{ minHeight: `${height}px` }} />
        ) : (
          <p class="soft plot-waiting" style={{ minHeight: `${height}px` }}>
            {waiting}
          </p>
        )}
      </div>
    </figure>
  );
}

function aligned(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])];
}

function options(
  element: HTMLElement,
  lines: readonly Line[],
  { format, height, span }: { format: (value: number) => string; height: number; span: number | undefined },
): uPlot.Options {
  const colour = coloursAt(element);
  const axis = {
    stroke: colour('ink-soft'),
    grid: { stroke: colour('line-faint'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  return {
    width: element.clientWidth,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: (_plot, first, last) => [span === undefined ? first : last - span, last] },
      y: { range: (_plot, _low, high) => [0, niceTop(high)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 90,
        size: 24,
        values: (_plot, marks, _axis, _space, step) => timeMarks(marks, step),
      },
      { ...axis, size: 62, space: 36, values: (_plot, marks) => marks.map(format) },
    ],
    series: [
      {},
      ...lines.map(({ label, colour: name }) => ({
        label,
        stroke: colour(name),
        fill: faint(colour(name)),
        width: 1.5,
        points: { show: false },
      })),
    ],
  };
}

/** A canvas knows no variables, and the same one is another colour in light and in dark: what it comes to is asked for. */
function coloursAt(element: HTMLElement): (name: string) => string {
  return (name) => {
    const probe = document.createElement('span');
    probe.style.color = `var(--${name})`;
    element.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
}

/** "rgb(1, 2, 3)", so that one sees through it. */
const faint = (colour: string): string => colour.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.12)');

/** "04:35", with seconds or the day where the marks are that close or that far apart. */
function timeMarks(marks: readonly number[], step: number): string[] {
  const parts: Intl.DateTimeFormatOptions =
    step < 60
      ? { hour: '2-digit', minute: '2-digit', second: '2-digit' }
      : step < 86_400
        ? { hour: '2-digit', minute: '2-digit' }
        : { month: 'short', day: 'numeric' };
  const format = new Intl.DateTimeFormat(undefined, { ...parts, hourCycle: 'h23' });
  return marks.map((mark) => format.format(mark * 1000));
}

/** A line at zero is drawn at the bottom, and one that jumps stays inside. */
function niceTop(high: number | null): number {
  return high === null || high <= 0 ? 1 : high * 1.15;
}
