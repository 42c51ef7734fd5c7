// Secrets for docker compose, made anew: node infra/docker/make-env.js > data/docker.env
import { randomBytes, randomInt } from 'node:crypto';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** @param {number} length */
const text = (length) => Array.from({ length }, () => letters[randomInt(letters.length)]).join('');

process.stdout.write(
  [
    '# Secrets of this installation: keep the file, and keep it to yourself.',
    `POSTGRES_PASSWORD=${text(32)}`,
    `TERRAFUSION_ADMIN_KEY=tfk_${text(12)}_${text(43)}`,
    `TERRAFUSION_MASTER_KEY=${randomBytes(32).toString('base64url')}`,
    `SYNCSERVICE_API_KEY=${text(43)}`,
    `GRAFANA_PASSWORD=${text(24)}`,
    '',
  ].join('\n'),
);
