import type { FastifyInstance } from 'fastify';
import { listenError, portOf } from '../listen.ts';

/** Starts an app. Rejects with `AddressInUse`, or the system's error. */
export async function listenApi(
  app: Pick<FastifyInstance, 'listen' | 'server'>,
  host: string,
  port: number,
): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw error instanceof Error ? listenError(error, host, port) : error;
  }
  return portOf(app.server);
}
