import { runService } from '@rollcall/config';
import * as telemetry from '@rollcall/telemetry';
import { compose } from './compose.ts';
import { contradiction, registrarConfig } from './config.ts';

await runService({
  service: 'rollcall-registrar',
  config: registrarConfig,
  contradiction,
  telemetry,
  compose,
});
