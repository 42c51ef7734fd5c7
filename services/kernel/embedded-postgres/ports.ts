import { createServer } from 'node:net';
import { HOST } from './sessions.ts';

/** The port of the last start if it is free, else one that is. */
export async function choosePort(last: number | undefined): Promise<number> {
  return last !== undefined && (await isFree(last)) ? last : await listenOn(0);
}

/** Whether nobody listens there at this moment. */
export async function isFree(port: number): Promise<boolean> {
  return await listenOn(port).then(
    () => true,
    () => false,
  );
}

/** Listens for a moment; 0 for a port of the system's choice. Gives the port. */
async function listenOn(port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, failed) => server.once('error', failed).listen(port, HOST, done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : port;
}
