export { createDrachtioFront } from './front.ts';
export type { DrachtioFront, DrachtioFrontOptions, DrachtioSizes } from './front-api.ts';
export { MAX_FRAME } from './link.ts';
