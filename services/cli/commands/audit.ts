import { auditPage, auditVerdict, type AuditView } from '#schemas/http/audit.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { count, counted, json, moment, table, type Terminal } from '../output.ts';
import { allPages, type Filters } from './pages.ts';

/** `terrafusion audit`: who did what, the latest first. */
export async function audit(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { filters, limit }: { readonly filters: Filters; readonly limit: number },
): Promise<number> {
  const items = await allPages(client, '/api/audit', auditPage, filters, limit);
  terminal.out(
    asJson ? json(items) : items.length === 0 ? 'There are no such entries.\n' : auditTable(items, terminal),
  );
  return exitCodes.OK;
}

/** `terrafusion audit verify`: ends with 1 when the chain is broken. */
export async function verifyAudit(client: GatewayClient, terminal: Terminal, asJson: boolean): Promise<number> {
  const verdict = await client.get('/api/audit/verify', auditVerdict);
  const { ok, entries, broken_at, reason } = verdict;
  const text = ok
    ? `The chain holds: ${counted(entries, 'entry', 'entries')}.\n`
    : `The chain is broken at entry ${broken_at ?? '?'}: ${reason ?? 'no reason given'} (${count(entries)} were looked at)\n`;
  terminal.out(asJson ? json(verdict) : text);
  return ok ? exitCodes.OK : exitCodes.FAILED;
}

function auditTable(items: readonly AuditView[], terminal: Terminal): string {
  return table(
    items,
    [
      { title: 'ENTRY', value: ({ seq }) => seq, right: true },
      { title: 'AT', value: ({ at }) => moment(at) },
      { title: 'ACTOR', value: ({ actor }) => actor, flexible: true },
      { title: 'ACTION', value: ({ action }) => action },
      {
        title: 'OUTCOME',
        value: ({ outcome }) => outcome,
        colour: ({ outcome }) => (outcome === 'failure' ? 'red' : undefined),
      },
      { title: 'WHAT', value: ({ entity_id }) => entity_id ?? '-', flexible: true },
      { title: 'REQUEST', value: ({ request_id }) => request_id ?? '-', flexible: true },
    ],
    terminal,
  );
}
