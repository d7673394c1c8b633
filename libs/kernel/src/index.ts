export * from './assert-never.ts';
export * from './base36.ts';
export * from './bounded-map.ts';
export * from './brand.ts';
export * from './clock.ts';
export * from './result.ts';
