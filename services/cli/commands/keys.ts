import { rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { TerraFusionError } from '#schemas/errors.ts';
import { keyMade, keysPage, type KeyView } from '#schemas/http/keys.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { json, moment, table, type Terminal } from '../output.ts';
import { printable } from '../text.ts';
import { confirmed } from '../usage.ts';
import { allPages, pathOf, type Filters } from './pages.ts';

const LIST = '/api/keys';

/** `terrafusion keys` */
export async function keys(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  filters: Filters,
): Promise<number> {
  const items = await allPages(client, LIST, keysPage, filters);
  terminal.out(asJson ? json(items) : items.length === 0 ? 'There are no keys.\n' : keyTable(items, terminal));
  return exitCodes.OK;
}

export interface KeyOut {
  /** Where the key goes instead of the terminal: a new file that only its owner can read. */
  readonly out: string | undefined;
}

export interface CreateKeyOptions extends KeyOut {
  readonly name: string;
  readonly role: string;
  readonly expiresAt: string | undefined;
  /** What it is limited to; to nothing when empty. */
  readonly systems: readonly string[];
}

/** `terrafusion keys create`: the key itself is all that is on stdout, so that it can go on into a secret store. */
export async function createKey(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { name, role, expiresAt, systems, out }: CreateKeyOptions,
): Promise<number> {
  const body = { name, role, expires_at: expiresAt, ...(systems.length > 0 && { systems }) };
  return await handOut(terminal, asJson, out, () => client.send('POST', LIST, body, keyMade));
}

/** `terrafusion keys rotate`: another secret for the same key. */
export async function rotateKey(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { id, overlapS, out }: KeyOut & { readonly id: string; readonly overlapS: number },
): Promise<number> {
  const body = { overlap_s: overlapS };
  return await handOut(terminal, asJson, out, () => client.send('POST', pathOf(LIST, id, 'rotate'), body, keyMade));
}

async function handOut(
  terminal: Terminal,
  asJson: boolean,
  out: string | undefined,
  make: () => Promise<z.output<typeof keyMade>>,
): Promise<number> {
  // Before the key is made: it is shown once, and what cannot be kept should not be made.
  if (out !== undefined) await write(out, '', 'wx');
  const { key, ...made } = await make().catch(async (error: unknown) => {
    if (out !== undefined) await rm(out, { force: true });
    throw error;
  });
  if (out !== undefined) {
    await write(out, `${key}\n`, 'w');
    terminal.out(asJson ? json({ ...made, file: out }) : `Key ${made.id} (${made.role}) is in ${out}.\n`);
    return exitCodes.OK;
  }
  terminal.out(asJson ? json({ ...made, key }) : `${key}\n`);
  if (!asJson) terminal.err(`Key ${made.id} of ${printable(made.name)} (${made.role}). It is shown only this once.\n`);
  return exitCodes.OK;
}

/** `terrafusion keys revoke` */
export async function revokeKey(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { id, yes }: { readonly id: string; readonly yes: boolean },
): Promise<number> {
  if (!(await confirmed(terminal, `Key ${id} opens nothing from now on. Revoke it?`, yes))) return exitCodes.FAILED;
  await client.send('DELETE', pathOf(LIST, id), undefined, z.undefined());
  terminal.out(asJson ? json({ id, revoked: true }) : `Key ${id} is revoked.\n`);
  return exitCodes.OK;
}

async function write(file: string, text: string, flag: 'w' | 'wx'): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o600, flag });
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new TerraFusionError('CONFIG_INVALID', `--out: ${file} cannot be written: ${why}`, { cause });
  }
}

function keyTable(items: readonly KeyView[], terminal: Terminal): string {
  return table(
    items,
    [
      { title: 'ID', value: ({ id }) => id },
      { title: 'NAME', value: ({ name }) => name, flexible: true },
      { title: 'ROLE', value: ({ role }) => role },
      {
        title: 'SYSTEMS',
        value: ({ systems }) => systems?.map(({ name }) => name).join(', ') ?? 'all',
        flexible: true,
      },
      { title: 'MADE', value: ({ created_at }) => moment(created_at) },
      { title: 'BY', value: ({ created_by }) => created_by ?? '-', flexible: true },
      { title: 'LAST USED', value: ({ last_used_at }) => moment(last_used_at) },
      { title: 'EXPIRES', value: ({ expires_at }) => moment(expires_at) },
      { title: 'REVOKED', value: ({ revoked_at }) => moment(revoked_at) },
    ],
    terminal,
  );
}
