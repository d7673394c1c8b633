import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { RedisProcess } from '@rollcall/testkit';
import { until } from '../harness.ts';

/** A SET by a script as MONITOR prints it: a location record begins with its format, `1`, and its version in nine digits of base 36. */
const WRITTEN = / lua\] "SET" "rc:\{\d+\}:r:[^"]*" "1([0-9a-z]{9})/;
const MARK = /"ECHO" "(mark-\d+)"/;

/** Which versions of location records Redis has written, in the order in which it did. */
export class RecordWrites {
  readonly #places = new Map<number, number>();
  readonly #marks = new Set<string>();
  #rest = '';
  #asked = 0;
  #began = false;

  private constructor(
    private readonly redis: RedisProcess,
    private readonly socket: Socket,
  ) {
    socket.setEncoding('latin1');
    socket.on('error', () => undefined);
    socket.on('data', (chunk: string) => {
      const lines = (this.#rest + chunk).split('\r\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
  }

  static async follow(redis: RedisProcess): Promise<RecordWrites> {
    const writes = new RecordWrites(redis, connect(redis.port, '127.0.0.1'));
    writes.socket.write('MONITOR\r\n');
    await until('MONITOR', () => (writes.#began ? true : undefined));
    return writes;
  }

  /** The place of each version among all that have been written by now. */
  async seen(): Promise<ReadonlyMap<number, number>> {
    this.#asked += 1;
    const mark = `mark-${this.#asked.toString()}`;
    await this.redis.command('ECHO', mark);
    await until(mark, () => (this.#marks.has(mark) ? true : undefined));
    return this.#places;
  }

  close(): void {
    this.socket.destroy();
  }

  #take(line: string): void {
    this.#began = true;
    const version = WRITTEN.exec(line)?.[1];
    if (version !== undefined) this.#places.set(parseInt(version, 36), this.#places.size);
    const mark = MARK.exec(line)?.[1];
    if (mark !== undefined) this.#marks.add(mark);
  }
}
