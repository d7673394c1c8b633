import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Plan, PlannedService } from './plan.ts';
import { spawnTied, type TiedProcess } from './process.ts';

export interface SystemOptions {
  /** The checkout, where the built services are. */
  readonly root: string;
  /** Logs go here, one file for each process. */
  readonly folder: string;
  /** The Node binary that runs the services. */
  readonly node: string;
  /** Start a service again that has died. */
  readonly restart: boolean;
  /** How long it rests before, doubled with each death in a row. Default 500. */
  readonly restartDelayMs?: number;
  readonly say: (line: string) => void;
}

export interface RunningService {
  readonly planned: PlannedService;
  process: TiedProcess;
  readonly logFile: string;
}

/** A service that did not get ready; `message` is one line for the user. */
export class StartProblem extends Error {
  override readonly name = 'StartProblem';
}

const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
const RESTART_DELAY_MS = 500;
/** A service that lives shorter than this may only die again: after some deaths in a row it is not started any more. */
const MIN_LIFE_MS = 5000;
const MAX_DEATHS = 5;
/** pino's level for warnings; what is above is shown to the user. */
const WARN_LEVEL = 40;

/** The services of a plan as processes. */
export class System {
  readonly services: RunningService[] = [];
  #stopping = false;

  constructor(
    readonly plan: Plan,
    private readonly options: SystemOptions,
  ) {}

  /** Starts all services and waits until each says it is ready. Throws `StartProblem`; what runs by then is stopped. */
  async start(): Promise<void> {
    mkdirSync(this.options.folder, { recursive: true });
    for (const planned of this.plan.services) {
      const logFile = join(this.options.folder, `${planned.name}.log`);
      this.services.push({ planned, logFile, process: this.#spawn(planned, logFile) });
    }
    try {
      await Promise.all(this.services.map((service) => waitReady(service)));
    } catch (error) {
      await this.stop();
      throw error;
    }
    for (const service of this.services) void this.#watch(service);
  }

  /** Starts a killed service again, on the same ports. */
  async revive(service: RunningService): Promise<void> {
    service.process = this.#spawn(service.planned, service.logFile);
    await waitReady(service);
  }

  /** Stops the ones that phones see first, then the ones behind. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const of = (...kinds: string[]) =>
      this.services.filter((service) => kinds.includes(service.planned.kind));
    await Promise.all(of('edge', 'admin').map((service) => service.process.stop()));
    await Promise.all(of('registrar', 'presence').map((service) => service.process.stop()));
  }

  #spawn(planned: PlannedService, logFile: string): TiedProcess {
    const main = join(this.options.root, 'services', planned.kind, 'dist', 'main.js');
    return spawnTied(this.options.node, ['--enable-source-maps', main], {
      name: planned.name,
      cwd: this.options.root,
      env: planned.env,
      logFile,
      onLine: (line) => this.#show(planned.name, line),
    });
  }

  /** Shows warnings and errors of the services' logs; the rest stays in the files. */
  #show(name: string, line: string): void {
    try {
      const entry = JSON.parse(line) as { level?: unknown; msg?: unknown };
      const { level, msg } = entry;
      if (typeof level === 'number' && level >= WARN_LEVEL && typeof msg === 'string')
        this.options.say(`${name}: ${msg}`);
    } catch {
      if (line.startsWith('rollcall-')) this.options.say(line);
    }
  }

  async #watch(service: RunningService): Promise<void> {
    let deaths = 0;
    for (;;) {
      const born = Date.now();
      const { code, signal } = await service.process.ended;
      if (this.#stopping) return;
      const how = signal === null ? `exit code ${String(code)}` : signal;
      if (!this.options.restart) return;
      deaths = Date.now() - born < MIN_LIFE_MS ? deaths + 1 : 1;
      if (deaths === MAX_DEATHS) {
        this.options.say(
          `${service.planned.name} died (${how}) and is not started again; its log: ${service.logFile}`,
        );
        return;
      }
      this.options.say(`${service.planned.name} died (${how}); starting it again`);
      await sleep((this.options.restartDelayMs ?? RESTART_DELAY_MS) * 2 ** (deaths - 1));
      if (this.#isStopping()) return;
      service.process = this.#spawn(service.planned, service.logFile);
    }
  }

  #isStopping(): boolean {
    return this.#stopping;
  }
}

/** Polls `/readyz` until it says 200. Throws `StartProblem` when the process ends or time is up. */
export async function waitReady(service: RunningService, timeoutMs = READY_TIMEOUT_MS): Promise<void> {
  const { name, opsPort } = service.planned;
  const deadline = Date.now() + timeoutMs;
  let last = 'no answer';
  while (Date.now() < deadline) {
    if (service.process.exited) {
      throw new StartProblem(`${name} ended at start: ${service.process.lastLines(1) || 'no output'}`);
    }
    try {
      const response = await fetch(`http://127.0.0.1:${opsPort}/readyz`, {
        signal: AbortSignal.timeout(2000),
      });
      last = `${response.status} ${await response.text()}`;
      if (response.ok) return;
    } catch {
      last = 'no answer';
    }
    await sleep(POLL_MS);
  }
  throw new StartProblem(
    `${name} is not ready after ${timeoutMs / 1000} s (${last}); its log: ${service.logFile}`,
  );
}
