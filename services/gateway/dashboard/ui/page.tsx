import type { ComponentChildren } from 'preact';

/** What every page begins with: where it stands, what it is, and what can be done. */
export function PageHead({
  title,
  subtitle,
  under,
  badge,
  children,
}: {
  readonly title: string;
  readonly subtitle?: ComponentChildren;
  /** The page that this one belongs to. */
  readonly under?: { readonly label: string; readonly href: string };
  readonly badge?: ComponentChildren;
  /** Buttons. */
  readonly children?: ComponentChildren;
}) {
  return (
    <header class="page-head">
      <div>
        {under === undefined ? null : (
          <p class="breadcrumb">
            <a href={under.href}>{under.label}</a>
          </p>
        )}
        <div class="page-title">
          <h1 tabIndex={-1}>{title}</h1>
          {badge}
        </div>
        {subtitle === undefined ? null : <p class="soft">{subtitle}</p>}
      </div>
      {children === undefined ? null : <div class="actions">{children}</div>}
    </header>
  );
}

/** A part of a page, with a frame and a heading. */
export function Card({
  title,
  actions,
  children,
  flush = false,
}: {
  readonly title?: string;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
  /** The content reaches the frame: tables. */
  readonly flush?: boolean;
}) {
  return (
    <section class={flush ? 'card flush' : 'card'} {...(title === undefined ? {} : { 'aria-label': title })}>
      {title === undefined ? null : (
        <div class="card-head">
          <h2>{title}</h2>
          {actions === undefined ? null : <div class="actions">{actions}</div>}
        </div>
      )}
      {children}
    </section>
  );
}

/** A figure with its name. */
export function Figure({
  label,
  value,
  note,
  title,
}: {
  readonly label: string;
  readonly value: ComponentChildren;
  readonly note?: ComponentChildren;
  readonly title?: string;
}) {
  return (
    <div class="figure" {...(title === undefined ? {} : { title })}>
      <dt>{label}</dt>
      <dd>{value}</dd>
      {note === undefined ? null : <dd class="figure-note">{note}</dd>}
    </div>
  );
}
