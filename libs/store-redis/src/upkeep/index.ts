export { Repair } from './repair.ts';
export type { Fault, RepairReport } from './repair.ts';
export { Reshard } from './reshard.ts';
export type { ReshardReport } from './reshard.ts';
