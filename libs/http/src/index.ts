// The ops server and the problem table only: what needs fastify is in `@rollcall/http/api`, so that the services
// without a REST interface do not load it.
export * from './listen.ts';
export * from './ops-server.ts';
export * from './problems.ts';
export * from './security-headers.ts';
