import { createTransport } from 'nodemailer';
import type { Secret } from '#schemas/secret.ts';
import { maskText } from '#services/kernel/masking.ts';
import { DeliveryError, type Channel } from './channels.ts';
import { subjectOf, textOf } from './message.ts';

/** How long one step of the SMTP conversation may take, in ms. */
const STEP = 10_000;

/** Sends messages as plain text. smtp:// speaks TLS as soon as the server offers it, smtps:// from the first byte. */
export function emailChannel({
  smtp,
  from,
  to,
}: {
  readonly smtp: Secret;
  readonly from: string;
  readonly to: readonly string[];
}): Channel {
  const transport = createTransport({
    url: smtp.reveal(),
    connectionTimeout: STEP,
    greetingTimeout: STEP,
    socketTimeout: STEP,
    // Nothing of ours is read from files or fetched from anywhere.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    name: 'email',
    to: to.join(', '),
    async send(message, signal) {
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener(
          'abort',
          () => {
            reject(new DeliveryError('The mail server takes too long', { again: true }));
          },
          { once: true },
        );
      });
      const sending = transport.sendMail({
        from,
        to: [...to],
        subject: subjectOf(message),
        text: textOf(message),
        // The same message sent again is the same one for whoever sorts by it.
        messageId: `<${message.id}@terrafusion-sync>`,
        headers: { 'Auto-Submitted': 'auto-generated', 'X-TerraFusion-Message': message.id },
      });
      try {
        await Promise.race([sending, aborted]);
      } catch (cause) {
        if (cause instanceof DeliveryError) throw cause;
        const { responseCode, message: told } = cause as Error & { responseCode?: number };
        // 5xx: refused for good. Everything else, a server that is not there included, may be different later.
        throw new DeliveryError(`The mail server did not take it: ${maskText(told)}`, {
          again: responseCode === undefined || responseCode < 500,
          cause,
        });
      }
    },
    [Symbol.asyncDispose]: () => {
      transport.close();
      return Promise.resolve();
    },
  };
}
