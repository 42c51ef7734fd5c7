import { TerraFusionError, type ErrorCode } from '#schemas/errors.ts';

/** What brokers call what we tell apart. */
const codes: Readonly<Record<string, ErrorCode>> = {
  MESSAGE_TOO_LARGE: 'BUS_BLOCK_TOO_LARGE',
  RECORD_LIST_TOO_LARGE: 'BUS_BLOCK_TOO_LARGE',
  UNKNOWN_TOPIC_OR_PARTITION: 'BUS_TOPIC_MISSING',
  TOPIC_AUTHORIZATION_FAILED: 'BUS_LOGIN_FAILED',
  GROUP_AUTHORIZATION_FAILED: 'BUS_LOGIN_FAILED',
  CLUSTER_AUTHORIZATION_FAILED: 'BUS_LOGIN_FAILED',
  SASL_AUTHENTICATION_FAILED: 'BUS_LOGIN_FAILED',
  UNSUPPORTED_SASL_MECHANISM: 'BUS_LOGIN_FAILED',
  ILLEGAL_SASL_STATE: 'BUS_LOGIN_FAILED',
  SECURITY_DISABLED: 'BUS_LOGIN_FAILED',
  INVALID_REPLICATION_FACTOR: 'CONFIG_INVALID',
  INVALID_CONFIG: 'CONFIG_INVALID',
  POLICY_VIOLATION: 'CONFIG_INVALID',
};

/** Ours as it is; kafkajs's by what the broker said, deep in its causes; everything else means that Kafka could not be asked. */
export function fromKafka(error: unknown, doing: string): TerraFusionError {
  if (error instanceof TerraFusionError) return error;
  const reason = causes(error).find(({ type, name }) => type in codes || name === 'KafkaJSSASLAuthenticationError');
  const code = reason === undefined ? 'BUS_UNREACHABLE' : (codes[reason.type] ?? 'BUS_LOGIN_FAILED');
  const message = reason?.message ?? (error instanceof Error ? error.message : String(error));
  return new TerraFusionError(code, `${doing}: ${message}`, { cause: error });
}

/** Whether the broker said so, anywhere among the causes. */
export function isKafkaError(error: unknown, type: string): boolean {
  return causes(error).some((cause) => cause.type === type);
}

interface Cause {
  readonly type: string;
  readonly name: string;
  readonly message: string;
}

function causes(error: unknown): Cause[] {
  const found: Cause[] = [];
  const open = [error];
  const seen = new Set<unknown>();
  while (open.length > 0) {
    const next = open.shift();
    if (!(next instanceof Error) || seen.has(next)) continue;
    seen.add(next);
    const {
      type = '',
      errors = [],
      partitions = [],
    } = next as { type?: string; errors?: unknown; partitions?: unknown };
    found.push({ type, name: next.name, message: next.message });
    open.push(next.cause);
    // What several topics or partitions were asked for is answered one by one.
    for (const part of [errors, partitions].flat()) open.push((part as { error?: unknown }).error ?? part);
  }
  return found;
}
