export * from './core-driver.ts';
export * from './parse.ts';
export * from './run.ts';
export * from './scenario.ts';
export { ScenarioSyntax } from './words.ts';
export * from './write-register.ts';
