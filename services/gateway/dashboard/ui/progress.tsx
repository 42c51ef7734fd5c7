import { fraction, progressText, type Progress } from '../format.ts';

/** A bar with its figures: how much, how fast, how long yet. Without a known total the bar only says that something is under way. */
export function ProgressBar({
  label,
  unit = 'rows',
  ...progress
}: Progress & { readonly label: string; readonly unit?: string }) {
  const part = fraction(progress);
  const text = progressText(progress, unit);
  const percent = part === null ? undefined : Math.floor(part * 100);
  return (
    <div class="progress">
      <div
        class={part === null ? 'track unknown' : 'track'}
        role="progressbar"
        aria-label={label}
        aria-valuetext={text}
        {...(percent === undefined ? {} : { 'aria-valuenow': percent, 'aria-valuemin': 0, 'aria-valuemax': 100 })}
      >
        <div class="fill" style={{ width: `${part === null ? 100 : part * 100}%` }} />
      </div>
      <div class="figures-line">
        {percent === undefined ? null : <strong>{percent} %</strong>} {text}
      </div>
    </div>
  );
}
