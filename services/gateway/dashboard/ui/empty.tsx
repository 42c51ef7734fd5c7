import type { ComponentChildren } from 'preact';

/** Where a list would be: why it is empty, and what to do next. */
export function Empty({
  title,
  children,
  action,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly action?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children === undefined ? null : <p class="soft">{children}</p>}
      {action}
    </div>
  );
}
