import { connect } from 'node:net';

export type RedisValue = string | number | null | readonly RedisValue[];

const PATIENCE_MS = 2000;

/** One command to one Redis on a connection of its own, as an operator with redis-cli would send it. Rejects on an error reply. */
export function redisCall(port: number, ...args: readonly string[]): Promise<RedisValue> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    let text = '';
    const end = (error: Error | undefined, value: RedisValue = null): void => {
      socket.destroy();
      if (error === undefined) resolve(value);
      else reject(error);
    };
    socket.setTimeout(PATIENCE_MS, () => {
      end(new Error(`no answer from Redis on port ${port}`));
    });
    socket.on('error', end);
    socket.on('connect', () => {
      const parts = args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`);
      socket.write(`*${args.length}\r\n${parts.join('')}`);
    });
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      const read = readValue(text, 0);
      if (read === undefined) return;
      if (read.value instanceof Error) end(read.value);
      else end(undefined, read.value);
    });
    socket.on('close', () => {
      end(new Error(`Redis on port ${port} closed the connection`));
    });
  });
}

interface Read {
  readonly value: RedisValue | Error;
  readonly next: number;
}

/** Reads one value of the Redis protocol; undefined when it is not all there yet. */
function readValue(text: string, at: number): Read | undefined {
  const end = text.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const line = text.slice(at + 1, end);
  const next = end + 2;
  switch (text[at]) {
    case '-':
      return { value: new Error(line), next };
    case ':':
      return { value: Number(line), next };
    case '$': {
      const length = Number(line);
      if (length < 0) return { value: null, next };
      if (text.length < next + length + 2) return undefined;
      return { value: text.slice(next, next + length), next: next + length + 2 };
    }
    case '*':
      return readArray(text, next, Number(line));
    default:
      return { value: line, next };
  }
}

function readArray(text: string, at: number, count: number): Read | undefined {
  const values: RedisValue[] = [];
  let next = at;
  for (let i = 0; i < count; i += 1) {
    const read = readValue(text, next);
    if (read === undefined || read.value instanceof Error) return read;
    values.push(read.value);
    ({ next } = read);
  }
  return { value: values, next };
}
