declare const brand: unique symbol;

/** A primitive that only a parser may make: `Brand<string, 'Aor'>` is a string, but no string is one. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Milliseconds since the Unix epoch. */
export type EpochMs = Brand<number, 'EpochMs'>;
/** A duration in whole seconds. */
export type Seconds = Brand<number, 'Seconds'>;

export const epochMs = (value: number): EpochMs => value as EpochMs;
export const seconds = (value: number): Seconds => value as Seconds;
