// Whether the process of this container answers: `node healthcheck.js gateway` or `sync-service`. Exit code 0 or 1.
import { request as http } from 'node:http';
import { request as https } from 'node:https';

const { GATEWAY_PORT = '5000', SYNC_SERVICE_PORT = '8080', TLS_CERT_FILE = '' } = process.env;
const isGateway = process.argv[2] === 'gateway';
const request = isGateway && TLS_CERT_FILE !== '' ? https : http;

request({
  host: '127.0.0.1',
  port: isGateway ? GATEWAY_PORT : SYNC_SERVICE_PORT,
  path: '/health/ready',
  timeout: 4000,
  // The certificate is for the name that users know, not for this address.
  rejectUnauthorized: false,
})
  .on('response', (reply) => process.exit(reply.statusCode === 200 ? 0 : 1))
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1))
  .end();
