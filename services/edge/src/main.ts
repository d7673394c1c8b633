import { runService } from '@rollcall/config';
import * as telemetry from '@rollcall/telemetry';
import { compose } from './compose.ts';
import { edgeConfig } from './config.ts';
import { transportContradiction } from './transports.ts';

await runService({
  service: 'rollcall-edge',
  config: edgeConfig,
  contradiction: transportContradiction,
  drainMs: ({ drainWaitS, drainGraceS }) => (drainWaitS + drainGraceS) * 1_000,
  telemetry,
  compose,
});
