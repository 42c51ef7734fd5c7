import type { AlertRecordView } from '#schemas/http/alerts.ts';
import { findPage } from '../../app/pages.ts';
import { pathOf, withQuery } from '../../app/paths.ts';

/** Where one looks at what an alert is about. */
export interface About {
  readonly label: string;
  readonly href: string;
}

export function aboutOf({
  code,
  pair,
  subject,
}: Pick<AlertRecordView, 'code' | 'pair' | 'subject'>): About | undefined {
  if (code === 'dead_letters' || code === 'dead_letters_growing') {
    return {
      label: pair === null ? 'Dead letters' : `Dead letters of ${pair}`,
      href: withQuery('/dashboard/dead-letters', { pair: pair ?? undefined }),
    };
  }
  if (pair !== null) return { label: pair, href: pathOf('/dashboard/pairs/:pair', { pair }) };
  if (code === 'failed_operations')
    return { label: 'Failed operations', href: withQuery('/dashboard/operations', { state: 'failed', within: '1h' }) };
  if (code === 'restarts')
    return { label: 'Restarts in the trail', href: withQuery('/dashboard/audit', { action: 'sync_service.restart' }) };
  if ((code === 'slot_wal_budget' || code === 'source_waiting') && subject !== null) {
    const href = pathOf('/dashboard/systems/:system', { system: subject });
    return findPage(href) ? { label: subject, href } : undefined;
  }
  if (code === 'component_down' || code === 'no_heartbeat') return { label: 'State of the parts', href: '/dashboard' };
  return undefined;
}
