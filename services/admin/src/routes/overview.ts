import type { ApiApp } from '@rollcall/http/api';
import { secured } from '../auth/access.ts';
import type { AdminContext } from '../context.ts';
import { OverviewSchema } from '../trace/schemas.ts';
import { healthOf } from './edges.ts';

/** The installation at a glance. */
export function overviewRoutes(app: ApiApp, context: AdminContext): void {
  const { liveEdges, history, ports, version } = context;

  app.get('/v1/overview', {
    schema: {
      tags: ['operations'],
      summary: 'Read rates and health of the whole installation',
      response: { 200: OverviewSchema },
    },
    config: secured('read', [], { everyDomain: true }),
    handler: async () => {
      const [answers, domains] = await Promise.all([liveEdges.statuses(), ports.users.domains.list()]);
      return {
        at: Date.now(),
        version,
        // Both lists came from it just now.
        store: { connected: true },
        domains: domains.length,
        edges: answers.map(healthOf),
        traces: Math.max(0, ...answers.map((answer) => (answer.ok ? answer.value.trace.active : 0))),
        moments: [...history.moments],
      };
    },
  });
}
