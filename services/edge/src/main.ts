import { runService } from '@rollcall/config';
import * as telemetry from '@rollcall/telemetry';
import { compose } from './compose.ts';
import { edgeConfig } from './config.ts';
import { engineProblem } from './engine.ts';

await runService({
  service: 'rollcall-edge',
  config: edgeConfig,
  contradiction: engineProblem,
  drainMs: ({ drainWaitS, drainGraceS }) => (drainWaitS + drainGraceS) * 1_000,
  telemetry,
  compose,
});
