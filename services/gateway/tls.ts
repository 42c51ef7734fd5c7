import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Log } from '#services/kernel/log.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate with its chain, and its key, in PEM form. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly validTo: Date;
}

/** From then on it is told with each look that a certificate is about to expire, in ms. */
const SOON = 14 * 86_400_000;

/** @throws CONFIG_INVALID naming the variable when they cannot be read, or do not belong together */
export async function readCertificate({ certFile, keyFile }: TlsFiles): Promise<Certificate> {
  const cert = await readPem('TLS_CERT_FILE', certFile);
  const key = await readPem('TLS_KEY_FILE', keyFile);
  try {
    createSecureContext({ cert, key });
    return { cert, key, validTo: new Date(new X509Certificate(cert).validTo) };
  } catch (cause) {
    throw new TerraFusionError(
      'CONFIG_INVALID',
      `TLS_CERT_FILE, TLS_KEY_FILE: they do not hold a certificate and its key in PEM form: ${(cause as Error).message}`,
      { cause },
    );
  }
}

async function readPem(variable: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TerraFusionError('CONFIG_INVALID', `${variable}: ${file} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Says when it is about to expire, or has. */
export function tellExpiry({ validTo }: Certificate, clock: Clock, log: Log): void {
  const left = validTo.getTime() - clock.now();
  if (left > SOON) return;
  log.warn(
    { valid_to: validTo.toISOString() },
    left > 0 ? 'The certificate expires soon.' : 'The certificate has expired.',
  );
}

/**
 * Reads the files again, for connections that come from now on; those that are open go on with what they have. What cannot be used, or has
 * expired, is told, and the one before stays: a renewal that went wrong must not take the gateway away.
 */
export async function reloadCertificate(
  server: Pick<Server, 'setSecureContext'>,
  files: TlsFiles,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<boolean> {
  try {
    const certificate = await readCertificate(files);
    if (certificate.validTo.getTime() <= clock.now()) {
      throw new TerraFusionError('CONFIG_INVALID', `TLS_CERT_FILE: the certificate has expired: ${files.certFile}`);
    }
    server.setSecureContext({ cert: certificate.cert, key: certificate.key });
    log.info({ valid_to: certificate.validTo.toISOString() }, 'The certificate was read again.');
    tellExpiry(certificate, clock, log);
    return true;
  } catch (error) {
    log.error({ error }, 'The new certificate cannot be used; the one before stays.');
    return false;
  }
}
