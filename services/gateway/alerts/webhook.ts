import { createHmac } from 'node:crypto';
import type { Secret } from '#schemas/secret.ts';
import type { Clock } from '#services/kernel/clock.ts';
import { DeliveryError, type Channel } from './channels.ts';

/** Carries `t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" in hexadecimal>`. */
export const SIGNATURE_HEADER = 'x-terrafusion-signature';

/** The signature of a body. Whoever checks it should refuse an old `t`: then nothing that was overheard can be sent again. */
export function signatureOf(body: string, seconds: number, secret: Secret): string {
  const mac = createHmac('sha256', secret.reveal()).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${mac}`;
}

/** Posts messages as JSON (`alertMessage` in schemas/http/alerts.ts). The URL may hold a secret of its own, so only its origin is shown. */
export function webhookChannel(
  { url, secret }: { readonly url: Secret; readonly secret: Secret | undefined },
  clock: Clock,
): Channel {
  const to = new URL(url.reveal()).origin;
  return {
    name: 'webhook',
    to,
    async send(message, signal) {
      const body = JSON.stringify(message);
      let reply: Response;
      try {
        reply = await fetch(url.reveal(), {
          method: 'POST',
          body,
          headers: {
            'content-type': 'application/json',
            'user-agent': 'terrafusion-sync',
            'x-terrafusion-message': message.id,
            ...(secret && { [SIGNATURE_HEADER]: signatureOf(body, Math.floor(clock.now() / 1000), secret) }),
          },
          // What is signed for one place is not carried on to another.
          redirect: 'manual',
          signal,
        });
        await reply.body?.cancel();
      } catch (cause) {
        const reason = (cause as { cause?: { code?: string } }).cause?.code ?? (cause as Error).name;
        throw new DeliveryError(`${to} cannot be reached (${reason})`, { again: true, cause });
      }
      const { status, ok } = reply;
      if (ok) return;
      // What is wrong with the request stays wrong; a server that is busy or broken may be better later.
      const again = status >= 500 || status === 408 || status === 425 || status === 429;
      throw new DeliveryError(`${to} answered ${status}`, { again });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
