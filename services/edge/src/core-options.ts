import { ALGORITHMS } from '@rollcall/digest';
import { callOptions } from './bounds.ts';
import type { EdgeConfig } from './config.ts';
import type { CoreOptions } from './core.ts';

/** What the core is told of the configuration. */
export function coreOptions(config: EdgeConfig): Omit<CoreOptions, 'edge' | 'inner'> {
  return {
    secret: config.secret,
    algorithms: config.algorithms,
    nonceLifetimeMs: config.nonceLifetimeS * 1_000,
    nonceLimit: config.nonceLimit,
    userCacheLimit: config.userCache,
    digest: { allowRfc2069: config.allowRfc2069, digestUri: config.digestUri },
    ...callOptions(config),
  };
}

/** The configuration of an edge that nobody reaches: phones by UDP on a port of its own, and what it hears goes nowhere. */
export function rehearsalConfig(config: EdgeConfig): EdgeConfig {
  return {
    ...config,
    engine: 'native',
    sipUdp: [{ host: '127.0.0.1', port: 0 }],
    sipTcp: [],
    sipTls: [],
    sipWs: [],
    sipWss: [],
    tlsCertificates: [],
    tlsServerCa: undefined,
    hepCollector: undefined,
    // Every algorithm is rehearsed; it may be that none of those that are offered is one that the phones know.
    algorithms: [...ALGORITHMS],
    qualifyS: 0,
  };
}
