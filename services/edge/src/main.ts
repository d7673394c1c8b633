import { runService } from '@rollcall/config';
import * as telemetry from '@rollcall/telemetry';
import { compose } from './compose.ts';
import { edgeConfig } from './config.ts';
import { transportContradiction } from './transports.ts';

await runService({
  service: 'rollcall-edge',
  config: edgeConfig,
  contradiction: transportContradiction,
  telemetry,
  compose,
});
