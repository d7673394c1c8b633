export { compose } from './compose.ts';
export type { Registrar, RegistrarDeps, RegistrarPorts } from './compose.ts';
export { contradiction, registrarConfig } from './config.ts';
export type { RegistrarConfig } from './config.ts';
