// The image's HEALTHCHECK: asks this container's own /healthz. Exit 0 when it answers 200.
import { get } from 'node:http';

const { ROLLCALL_HTTP_HOST: listensOn = '127.0.0.1', ROLLCALL_HTTP_PORT: port = '9090' } = process.env;
const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[listensOn] ?? listensOn;
const request = get({ host, port, path: '/healthz', timeout: 2_000 }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1);
});
request.on('timeout', () => process.exit(1));
request.on('error', () => process.exit(1));
