import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { isSecretField, MASK, maskText } from './masking.ts';

/** Names a JSON or YAML file with the same variables as the environment; what the environment says wins. */
export const CONFIG_FILE_VARIABLE = 'TERRAFUSION_CONFIG_FILE';

/** A schema whose fields are environment variables: `z.object({ GATEWAY_PORT: … })`. */
export type ConfigSchema = z.ZodObject<Readonly<Record<string, z.core.$ZodType>>>;

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a setting's value comes from. */
export type Origin = 'default' | 'file' | 'environment';

export interface Setting {
  readonly name: string;
  /** As text; secrets masked; undefined when not set. */
  readonly value: string | undefined;
  readonly origin: Origin;
  readonly description: string;
}

// The one step that every secret's schema ends with: what it is known by, however it was refined, described or made optional.
const toSecret = z.transform((value: string) => new Secret(value));

/**
 * A secret, at least `min` characters long; read from the variable or from the file that `<variable>_FILE` names. (Promise 8)
 */
export function secret({ min = 1 }: { min?: number } = {}): z.ZodType<Secret, string> {
  return z.string().min(min, `must have at least ${min} characters`).pipe(toSecret);
}

/** A whole number of `unit` between the limits, both included. */
export function whole(min: number, max: number): z.ZodType<number, string | number> {
  const told = `must be a whole number from ${min} to ${max}`;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\s*-?\d+\s*$/)
          .transform(Number),
      ],
      told,
    )
    .pipe(z.int(told).min(min, told).max(max, told));
}

/** A TCP port; 0 lets the system choose one. */
export function port(): z.ZodType<number, string | number> {
  return whole(0, 65_535);
}

const units: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** A number of bytes: "1073741824", "512 MiB", "20G"; units are powers of 1024. */
export function bytes({ min = 0 }: { min?: number } = {}): z.ZodType<number, string | number> {
  return z.union([z.number(), z.string()]).transform((value, context) => {
    const [, figure, unit] = /^\s*(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?\s*$/i.exec(String(value)) ?? [];
    const count = figure === undefined ? NaN : Math.round(Number(figure) * units[unit!.toLowerCase()]!);
    if (Number.isSafeInteger(count) && count >= min) return count;
    context.addIssue(`must be a number of bytes of at least ${min}, such as 1073741824, "512 MiB" or "20 GiB"`);
    return z.NEVER;
  });
}

/** Yes or no: true, false, 1, 0, yes, no, on, off. */
export function flag(): z.ZodType<boolean, string | boolean | number> {
  const words: Readonly<Record<string, boolean>> = {
    true: true,
    '1': true,
    yes: true,
    on: true,
    false: false,
    '0': false,
    no: false,
    off: false,
  };
  return z.union([z.string(), z.boolean(), z.number()]).transform((value, context) => {
    const meant = words[String(value).trim().toLowerCase()];
    if (meant !== undefined) return meant;
    context.addIssue('must be true or false');
    return z.NEVER;
  });
}

/** Words separated by commas, or a list in the config file; empty ones are left out. */
export function list(): z.ZodType<string[], string | string[]> {
  return z
    .union([z.string().transform((value) => value.split(',')), z.array(z.string())])
    .transform((items) => items.map((item) => item.trim()).filter((item) => item !== ''));
}

/**
 * Reads the settings that `schema` declares from the environment and the config file.
 * An empty variable counts as not set, as compose files write it.
 * @throws {TerraFusionError} CONFIG_INVALID, telling all problems at once, each by its variable's name.
 */
export function loadConfig<Schema extends ConfigSchema>(schema: Schema, env: Environment): z.output<Schema> {
  return read(schema, env).config;
}

/**
 * The effective settings in the schema's order, secrets masked.
 * @throws {TerraFusionError} CONFIG_INVALID as {@link loadConfig}.
 */
export function describeConfig(schema: ConfigSchema, env: Environment): Setting[] {
  const { config, origins } = read(schema, env);
  return Object.entries(schema.shape).map(([name, field]) => ({
    name,
    value: shown(config[name]),
    origin: origins.get(name) ?? 'default',
    description: descriptionOf(field) ?? '',
  }));
}

function read<Schema extends ConfigSchema>(
  schema: Schema,
  env: Environment,
): { config: z.output<Schema>; origins: Map<string, Origin> } {
  const problems: string[] = [];
  const origins = new Map<string, Origin>();
  const raw: Record<string, unknown> = {};
  const fromFile = readConfigFile(schema, env[CONFIG_FILE_VARIABLE], problems);
  const layers: [Origin, Readonly<Record<string, unknown>>][] = [
    ['file', fromFile],
    ['environment', env],
  ];
  for (const [origin, layer] of layers) {
    for (const [name, field] of Object.entries(schema.shape)) {
      const value = isSecret(field) ? readSecret(name, layer, problems) : layer[name];
      if (value === undefined || value === null || value === '') continue;
      raw[name] = value;
      origins.set(name, origin);
    }
  }
  const parsed = schema.safeParse(raw);
  // A variable whose file cannot be read has been told about; that it is therefore not set adds nothing.
  const named = new Set(problems.map((problem) => problem.slice(0, problem.indexOf(':')).replace(/_FILE$/, '')));
  for (const issue of parsed.error?.issues ?? []) {
    if (!named.has(String(issue.path[0]))) problems.push(told(issue, schema, raw));
  }
  if (problems.length > 0 || !parsed.success) {
    throw new TerraFusionError('CONFIG_INVALID', problems.join('\n'), { details: { problems } });
  }
  return { config: parsed.data, origins };
}

function readConfigFile(schema: ConfigSchema, path: string | undefined, problems: string[]): Record<string, unknown> {
  if (path === undefined || path === '') return {};
  let content: unknown;
  try {
    // JSON is YAML.
    content = parseYaml(readFileSync(path, 'utf8')) ?? {};
  } catch (error) {
    problems.push(`${CONFIG_FILE_VARIABLE}: cannot read ${path}: ${maskText((error as Error).message)}`);
    return {};
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    problems.push(`${CONFIG_FILE_VARIABLE}: ${path} must hold settings by name, such as "GATEWAY_PORT: 5000"`);
    return {};
  }
  const known = new Set(
    Object.entries(schema.shape).flatMap(([name, field]) => (isSecret(field) ? [name, `${name}_FILE`] : [name])),
  );
  // Nobody writes a name into our file for somebody else: an unknown one is a misspelt one.
  for (const name of Object.keys(content)) {
    if (!known.has(name)) problems.push(`${name}: there is no setting of this name (in ${path})`);
  }
  return content as Record<string, unknown>;
}

function readSecret(name: string, layer: Readonly<Record<string, unknown>>, problems: string[]): unknown {
  const value = layer[name] === '' ? undefined : layer[name];
  const path = layer[`${name}_FILE`];
  if (typeof path !== 'string' || path === '') return typeof value === 'number' ? String(value) : value;
  if (value !== undefined) {
    problems.push(`${name}: set either ${name} or ${name}_FILE, not both`);
    return undefined;
  }
  try {
    const content = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (content === '') problems.push(`${name}_FILE: ${path} is empty`);
    return content;
  } catch (error) {
    problems.push(`${name}_FILE: cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
    return undefined;
  }
}

/** "GATEWAY_PORT: must be a whole number from 0 to 65535 (it is "abc")"; a secret's value is never part of it. */
function told(issue: z.core.$ZodIssue, schema: ConfigSchema, raw: Readonly<Record<string, unknown>>): string {
  const name = String(issue.path[0] ?? 'Settings');
  const field = schema.shape[name];
  const value = raw[name];
  if (value === undefined) return `${name}: ${issue.code === 'invalid_type' ? 'must be set' : issue.message}`;
  if (field === undefined || isSecret(field) || isSecretField(name)) return `${name}: ${issue.message}`;
  return `${name}: ${issue.message} (it is ${maskText(JSON.stringify(value))})`;
}

/** A schema, and what is inside it when it is optional, has a default or ends in a transformation. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  const { innerType, out } = schema._zod.def as { innerType?: z.core.$ZodType; out?: z.core.$ZodType };
  const inner = innerType ?? out;
  return inner === undefined ? [schema] : [schema, ...unwrap(inner)];
}

function isSecret(schema: z.core.$ZodType): boolean {
  return unwrap(schema).includes(toSecret);
}

function descriptionOf(schema: z.core.$ZodType): string | undefined {
  return unwrap(schema)
    .map((layer) => z.globalRegistry.get(layer)?.description)
    .find((description) => description !== undefined);
}

function shown(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (value instanceof Secret) return MASK;
  if (Array.isArray(value)) return maskText(value.join(','));
  return maskText(typeof value === 'string' ? value : JSON.stringify(value));
}
