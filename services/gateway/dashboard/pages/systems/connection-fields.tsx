import type { FieldProblem } from '#schemas/http/common.ts';
import { SelectField, TextField } from '../../ui/field.tsx';
import { tlsModes, turned, type ConnectionForm, type PasswordFrom } from './connection.ts';

export interface ConnectionFieldsProps {
  readonly form: ConnectionForm;
  readonly problem: (field: string) => FieldProblem | undefined;
  /** A secret is stored already. */
  readonly stored: boolean;
  readonly onChange: (form: ConnectionForm) => void;
}

/** How to reach a PostgreSQL database. */
export function PostgresFields({ form, problem, stored, onChange }: ConnectionFieldsProps) {
  const set = (change: Partial<ConnectionForm>): void => {
    onChange({ ...form, ...change });
  };
  return (
    <>
      <fieldset class="choices">
        <legend>Address</legend>
        <Radio
          name="by"
          label="Host and database"
          checked={form.by === 'fields'}
          onPick={() => {
            onChange(turned(form, 'fields'));
          }}
        />
        <Radio
          name="by"
          label="URL"
          checked={form.by === 'url'}
          onPick={() => {
            onChange(turned(form, 'url'));
          }}
        />
      </fieldset>
      {form.by === 'url' ? (
        <TextField
          label="URL"
          required
          spellcheck={false}
          placeholder="postgresql://sync@10.0.0.5:5432/pacs"
          value={form.url}
          onInput={(url) => {
            set({ url });
          }}
          problem={problem('url')}
          help="The server itself, not a connection pooler in front of it."
        />
      ) : (
        <div class="field-row">
          <TextField
            label="Host"
            required
            spellcheck={false}
            placeholder="10.0.0.5"
            value={form.host}
            onInput={(host) => {
              set({ host });
            }}
            problem={problem('url')}
            help="The server itself, not a connection pooler."
          />
          <TextField
            label="Port"
            type="number"
            required
            value={form.port}
            onInput={(port) => {
              set({ port });
            }}
          />
          <TextField
            label="Database"
            required
            spellcheck={false}
            value={form.database}
            onInput={(database) => {
              set({ database });
            }}
          />
          <TextField
            label="User"
            required
            spellcheck={false}
            value={form.user}
            onInput={(user) => {
              set({ user });
            }}
          />
        </div>
      )}
      <Password {...{ form, problem, stored, set }} />
      <SelectField
        label="Encryption (TLS)"
        value={form.tls}
        options={tlsModes}
        onInput={(tls) => {
          set({ tls });
        }}
        problem={problem('ssl_mode')}
      />
      <details open={form.caFile !== '' || form.certFile !== '' || form.keyFile !== ''}>
        <summary>Certificate files</summary>
        <div class="form">
          <TextField
            label="Certificate authority (PEM file)"
            spellcheck={false}
            value={form.caFile}
            onInput={(caFile) => {
              set({ caFile });
            }}
            problem={problem('ssl_ca_file')}
            help="On the machine that runs TerraFusion Sync."
          />
          <TextField
            label="Client certificate (PEM file)"
            spellcheck={false}
            value={form.certFile}
            onInput={(certFile) => {
              set({ certFile });
            }}
            problem={problem('ssl_cert_file')}
          />
          <TextField
            label="Its private key (PEM file)"
            spellcheck={false}
            value={form.keyFile}
            onInput={(keyFile) => {
              set({ keyFile });
            }}
            problem={problem('ssl_key_file')}
          />
        </div>
      </details>
    </>
  );
}

const passwordLabels: Readonly<Record<PasswordFrom, string>> = {
  keep: 'The one that is stored',
  password: 'A password',
  file: 'A file that holds it',
  none: 'None is needed',
};

function Password({
  form,
  problem,
  stored,
  set,
}: Omit<ConnectionFieldsProps, 'onChange'> & { readonly set: (change: Partial<ConnectionForm>) => void }) {
  const ways: readonly PasswordFrom[] = [...(stored ? (['keep'] as const) : []), 'password', 'file', 'none'];
  return (
    <>
      <fieldset class="choices">
        <legend>Password</legend>
        {ways.map((way) => (
          <Radio
            key={way}
            name="password"
            label={passwordLabels[way]}
            checked={form.passwordFrom === way}
            onPick={() => {
              set({ passwordFrom: way });
            }}
          />
        ))}
      </fieldset>
      {form.passwordFrom === 'keep' && problem('password') !== undefined ? (
        <p class="field-problem" role="alert">
          {problem('password')!.message}. The stored password is only sent to where it was given for.
        </p>
      ) : null}
      {form.passwordFrom === 'password' ? (
        <TextField
          label="Password of the user"
          type="password"
          required
          value={form.password}
          onInput={(password) => {
            set({ password });
          }}
          problem={problem('password')}
          help="Stored encrypted, and never shown again."
        />
      ) : null}
      {form.passwordFrom === 'file' ? (
        <TextField
          label="Password file"
          required
          spellcheck={false}
          placeholder="/run/secrets/pacs"
          value={form.passwordFile}
          onInput={(passwordFile) => {
            set({ passwordFile });
          }}
          problem={problem('password_file')}
          help="On the machine that runs TerraFusion Sync; read at every connect, so a rotated password needs no change here."
        />
      ) : null}
    </>
  );
}

function Radio({
  name,
  label,
  checked,
  onPick,
}: {
  readonly name: string;
  readonly label: string;
  readonly checked: boolean;
  readonly onPick: () => void;
}) {
  return (
    <label class="check">
      <input type="radio" name={name} checked={checked} onChange={onPick} />
      {label}
    </label>
  );
}
