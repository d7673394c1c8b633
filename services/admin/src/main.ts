import { runService } from '@rollcall/config';
import * as telemetry from '@rollcall/telemetry';
import { compose } from './compose.ts';
import { adminConfig, contradiction } from './config.ts';

await runService({ service: 'rollcall-admin', config: adminConfig, contradiction, telemetry, compose });
