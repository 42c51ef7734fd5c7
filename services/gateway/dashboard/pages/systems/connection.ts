import type { SystemView } from '#schemas/http/systems.ts';

/** How the gateway shows a secret that it keeps; sent back, the secret stays as it is. */
export const KEPT = '[secret]';

export const tlsModes = [
  { value: '', label: 'As the server can (prefer)' },
  { value: 'require', label: 'Encrypted (require)' },
  { value: 'verify-ca', label: 'Encrypted, certificate checked (verify-ca)' },
  { value: 'verify-full', label: 'Encrypted, certificate and host name checked (verify-full)' },
  { value: 'disable', label: 'Not encrypted (disable)' },
] as const;
export type TlsMode = (typeof tlsModes)[number]['value'];

/** How the password is given: "keep" leaves the one that is stored. */
export type PasswordFrom = 'keep' | 'password' | 'file' | 'none';

/** What the form of a PostgreSQL system holds. */
export interface ConnectionForm {
  readonly by: 'fields' | 'url';
  readonly host: string;
  readonly port: string;
  readonly database: string;
  readonly user: string;
  /** What the fields do not know of a URL: libpq's parameters. */
  readonly parameters: string;
  readonly url: string;
  readonly passwordFrom: PasswordFrom;
  readonly password: string;
  readonly passwordFile: string;
  readonly tls: TlsMode;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Settings that the form does not show: they stay. */
  readonly others: Readonly<Record<string, unknown>>;
}

export const newConnection: ConnectionForm = {
  by: 'fields',
  host: '',
  port: '5432',
  database: '',
  user: '',
  parameters: '',
  url: '',
  passwordFrom: 'password',
  password: '',
  passwordFile: '',
  tls: '',
  caFile: '',
  certFile: '',
  keyFile: '',
  others: {},
};

interface Parts {
  readonly host: string;
  readonly port: string;
  readonly database: string;
  readonly user: string;
  readonly parameters: string;
}

/** The parts of a URL; undefined when it is none whose parts could be told. A password in it is for the gateway to find. */
export function partsOf(url: string): Parts | undefined {
  const match =
    /^postgres(?:ql)?:\/\/(?:([^@/?#:]*)@)?(\[[^\]]+\]|[^@/?#:]+)(?::(\d+))?(?:\/([^?#]*))?(\?[^#]*)?$/.exec(
      url.trim(),
    );
  if (!match) return undefined;
  const [, user = '', host = '', port = '5432', database = '', parameters = ''] = match;
  try {
    return {
      host: host.replace(/^\[(.*)\]$/, '$1'),
      port,
      database: decodeURIComponent(database),
      user: decodeURIComponent(user),
      parameters,
    };
  } catch {
    return undefined;
  }
}

export function urlOf({ host, port, database, user, parameters }: Parts): string {
  const address = host.includes(':') ? `[${host}]` : host;
  return `postgresql://${encodeURIComponent(user)}@${address}:${port || '5432'}/${encodeURIComponent(database)}${parameters}`;
}

/** What is stored, as the form shows it. */
export function formOf({ connection }: Pick<SystemView, 'connection'>): ConnectionForm {
  const { url, password, password_file, ssl_mode, ssl_ca_file, ssl_cert_file, ssl_key_file, ...others } = connection;
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const parts = partsOf(text(url));
  return {
    ...newConnection,
    ...(parts ?? { by: 'url' as const }),
    url: text(url),
    passwordFrom: password === undefined ? (password_file === undefined ? 'none' : 'file') : 'keep',
    passwordFile: text(password_file),
    tls: tlsModes.find(({ value }) => value === ssl_mode)?.value ?? '',
    caFile: text(ssl_ca_file),
    certFile: text(ssl_cert_file),
    keyFile: text(ssl_key_file),
    others,
  };
}

/** What the gateway takes as `connection`. */
export function connectionOf(form: ConnectionForm): Record<string, unknown> {
  const secret = {
    keep: { password: KEPT },
    password: { password: form.password },
    file: { password_file: form.passwordFile },
    none: {},
  }[form.passwordFrom];
  const given = Object.entries({
    ssl_mode: form.tls,
    ssl_ca_file: form.caFile,
    ssl_cert_file: form.certFile,
    ssl_key_file: form.keyFile,
  }).filter(([, value]) => value !== '');
  return {
    ...form.others,
    url: form.by === 'url' ? form.url.trim() : urlOf(form),
    ...secret,
    ...Object.fromEntries(given),
  };
}

/** The same address in the other way of writing it. */
export function turned(form: ConnectionForm, by: ConnectionForm['by']): ConnectionForm {
  if (by === form.by) return form;
  if (by === 'url') return { ...form, by, url: form.host === '' ? form.url : urlOf(form) };
  return { ...form, by, ...partsOf(form.url) };
}
