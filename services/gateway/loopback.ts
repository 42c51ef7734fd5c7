import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');

/** Whether the address, or the name "localhost", is this machine and no other. "0.0.0.0" and "::" are not: they are everybody's way in. */
export function isLoopback(address: string): boolean {
  const plain = address.replace(/^\[(.*)\]$/, '$1');
  if (plain.toLowerCase() === 'localhost') return true;
  const family = isIP(plain);
  return family !== 0 && loopback.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

/** Whether requests need no key: only where nobody else can reach us. */
export function isOpen({ authRequired, host }: { readonly authRequired: boolean; readonly host: string }): boolean {
  return !authRequired && isLoopback(host);
}

export const OPEN_WARNING =
  'AUTH_REQUIRED=false: whoever uses this machine is an administrator. Take the setting away before others do.';

/** The host of a `Host` header, or of an origin without its scheme: without the port. */
export function hostOf(header: string): string {
  return header.replace(/:\d+$/, '');
}
