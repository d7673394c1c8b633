/**
 * The build that this one must run beside, in front of it and behind it: what is in production while this one is rolled out.
 * At a release put here the commit of the release before it, whole (`git rev-parse v0.1.0^{commit}`). Between releases it stays.
 */
export const PREVIOUS = 'b4251ac5153b1a4a50a1111656828998c5dc074b';
