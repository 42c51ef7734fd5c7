import type { AlertMessage } from '#schemas/http/alerts.ts';
import type { Secret } from '#schemas/secret.ts';
import type { ChannelName } from '#services/control/alert-deliveries.ts';
import type { Clock } from '#services/kernel/clock.ts';
import { emailChannel } from './email.ts';
import { webhookChannel } from './webhook.ts';

/** A way on which alerts leave. */
export interface Channel extends AsyncDisposable {
  readonly name: ChannelName;
  /** Where to, without any secret: it is shown. */
  readonly to: string;
  /** Resolves once the other side has taken it. @throws {DeliveryError} */
  send(message: AlertMessage, signal: AbortSignal): Promise<void>;
}

/** A message was not taken. */
export class DeliveryError extends Error {
  /** Whether it may be taken when it is sent again. */
  readonly again: boolean;

  constructor(message: string, { again, cause }: { readonly again: boolean; readonly cause?: unknown }) {
    super(message, { cause });
    this.name = 'DeliveryError';
    this.again = again;
  }
}

/** Where alerts are sent to; both may be there, or none. */
export interface ChannelSettings {
  readonly webhook: { readonly url: Secret; readonly secret: Secret | undefined } | undefined;
  readonly email: { readonly smtp: Secret; readonly from: string; readonly to: readonly string[] } | undefined;
  /** Where people find the gateway; undefined: it is not known. */
  readonly publicUrl?: string | undefined;
}

export function openChannels({ webhook, email, publicUrl }: ChannelSettings, clock: Clock): Channel[] {
  const channels = [...(webhook ? [webhookChannel(webhook, clock)] : []), ...(email ? [emailChannel(email)] : [])];
  return publicUrl === undefined ? channels : channels.map((channel) => withLinks(channel, publicUrl));
}

/** Pages of the gateway are links that open wherever the message is read. */
function withLinks(channel: Channel, publicUrl: string): Channel {
  const base = publicUrl.endsWith('/') ? publicUrl : `${publicUrl}/`;
  return {
    name: channel.name,
    to: channel.to,
    send: ({ alerts, ...message }, signal) =>
      channel.send(
        {
          ...message,
          // Relative to it: behind a proxy the gateway may be below a path.
          alerts: alerts.map((alert) => ({ ...alert, runbook: new URL(alert.runbook.replace(/^\//, ''), base).href })),
        },
        signal,
      ),
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
}
