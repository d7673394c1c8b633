import { env } from 'node:process';
import fc from 'fast-check';

/**
 * Property tests try the same inputs in every run, so that a failure on the build server is one anywhere; another seed
 * (`FAST_CHECK_SEED=7 npm test`) tries others.
 */
fc.configureGlobal({ seed: Number(env['FAST_CHECK_SEED'] ?? 20_261) });
