import { runService } from '@rollcall/config';
import * as telemetry from '@rollcall/telemetry';
import { compose } from './compose.ts';
import { presenceConfig } from './config.ts';

await runService({ service: 'rollcall-presence', config: presenceConfig, telemetry, compose });
