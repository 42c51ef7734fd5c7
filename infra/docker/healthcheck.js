// Whether the process of this container works: `node healthcheck.js gateway`, `sync-service` or `stage`. Exit code 0 or 1.
import { request as http } from 'node:http';
import { request as https } from 'node:https';

const { GATEWAY_PORT = '5000', SYNC_SERVICE_PORT = '8080', STAGE_PORT = '8080', TLS_CERT_FILE = '' } = process.env;
const [, , what] = process.argv;

if (what === 'gateway') ask(TLS_CERT_FILE === '' ? http : https, GATEWAY_PORT);
else ask(http, what === 'sync-service' ? SYNC_SERVICE_PORT : STAGE_PORT);

/**
 * @param {typeof http} request
 * @param {string} port
 */
function ask(request, port) {
  request({
    host: '127.0.0.1',
    port,
    path: '/health/ready',
    timeout: 4000,
    // The certificate is for the name that users know, not for this address.
    rejectUnauthorized: false,
  })
    .on('response', (reply) => process.exit(reply.statusCode === 200 ? 0 : 1))
    .on('timeout', () => process.exit(1))
    .on('error', () => process.exit(1))
    .end();
}
