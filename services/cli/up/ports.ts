import { createServer } from 'node:net';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Settings } from '#services/kernel/settings.ts';

/**
 * Whether the ports that will be listened on are free, before anything is started. (Who takes one in the meantime is found when it is
 * listened on.)
 * @throws {TerraFusionError} PORT_IN_USE, CONFIG_INVALID, each naming the variable
 */
export async function checkPorts({ gateway, syncService }: Settings): Promise<void> {
  await checkPort(gateway.host, gateway.port, 'GATEWAY');
  if (syncService.url === undefined) await checkPort(syncService.host, syncService.port, 'SYNC_SERVICE');
}

async function checkPort(host: string, port: number, variables: 'GATEWAY' | 'SYNC_SERVICE'): Promise<void> {
  if (port === 0) return;
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ host, port, exclusive: true }, resolve);
    });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new TerraFusionError('PORT_IN_USE', `Port ${port} on ${host} (${variables}_PORT) is in use`, {
        cause,
        details: { port, host, variable: `${variables}_PORT` },
      });
    }
    if (code === 'EACCES')
      throw new TerraFusionError('CONFIG_INVALID', `${variables}_PORT: this user may not listen on port ${port}`, {
        cause,
      });
    throw new TerraFusionError('CONFIG_INVALID', `${variables}_HOST: nobody can listen on ${host} here: ${message}`, {
      cause,
    });
  } finally {
    server.close();
  }
}
