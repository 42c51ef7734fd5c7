/**
 * A steady load: one-row transactions at a fixed rate, from several connections, in a process of its own. Told to stop (SIGTERM), it ends
 * what is in hand.
 * Arguments: URL, transactions a second, seconds, id of the first row.
 */
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

const [url, ...numbers] = process.argv.slice(2) as [string, ...string[]];
const [rate, seconds, firstId] = numbers.map(Number) as [number, number, number];
const connections = Math.max(2, Math.min(16, Math.ceil(rate / 100)));
const total = rate * seconds;
const begun = performance.now();
const state = { stopped: false };
process.once('SIGTERM', () => {
  state.stopped = true;
});

async function connection(number: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (let row = number; row < total && !state.stopped; row += connections) {
    const due = begun + (row * 1000) / rate;
    const wait = due - performance.now();
    if (wait > 0) await delay(wait);
    await client.query({
      name: 'insert',
      text: `INSERT INTO latency (id, committed_at, situs, value) VALUES ($1, clock_timestamp(), 'NW Maple Street', 1.5)`,
      values: [firstId + row],
    });
  }
  await client.end();
}

await Promise.all(Array.from({ length: connections }, (_, number) => connection(number)));
