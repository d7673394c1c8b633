import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';

const EXIT_USAGE = 2;

/** The arguments of a command. `--help` prints the usage and ends; what is wrong with them is one line before it, and exit code 2. */
export function commandLine<T extends ParseArgsConfig>(
  usage: string,
  config: T,
): ReturnType<typeof parseArgs<T>> {
  if (process.argv.slice(2).includes('--help')) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    const what = error instanceof Error ? error.message.split('.')[0] : String(error);
    process.stderr.write(`${what ?? ''}\n\n${usage}`);
    process.exit(EXIT_USAGE);
  }
}
