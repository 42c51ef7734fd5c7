// Whether the process of this container works: `node healthcheck.js gateway`, `sync-service` or `stage`. Exit code 0 or 1.
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { hostname } from 'node:os';
import pg from 'pg';

const { GATEWAY_PORT = '5000', SYNC_SERVICE_PORT = '8080', TLS_CERT_FILE = '', DATABASE_URL } = process.env;
const [, , what] = process.argv;

if (what === 'gateway') ask(TLS_CERT_FILE === '' ? http : https, GATEWAY_PORT);
else if (what === 'sync-service') ask(http, SYNC_SERVICE_PORT);
else await lookForHeartbeat();

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

/** A stage answers nobody: it says in the control database that it lives. */
async function lookForHeartbeat() {
  const client = new pg.Client({
    ...(DATABASE_URL === undefined ? {} : { connectionString: DATABASE_URL }),
    connectionTimeoutMillis: 4000,
    query_timeout: 4000,
  });
  client.on('error', () => process.exit(1));
  try {
    await client.connect();
    const { rowCount } = await client.query(
      `SELECT FROM terrafusion.components
        WHERE starts_with(instance, $1) AND heartbeat_at > clock_timestamp() - stale_after`,
      [`${hostname()}:`],
    );
    process.exit(rowCount === 0 ? 1 : 0);
  } catch {
    process.exit(1);
  }
}
