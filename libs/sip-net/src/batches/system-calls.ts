import { getSystemErrorName } from 'node:util';

/** Functions of the C library that Node has no words for. Pointers are buffers, whose memory never moves. */
export interface SystemCalls {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, name: Uint8Array, length: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  close(fd: number): number;
  /** At most `count` datagrams into a `MessageTable`; how many, or -1. */
  recvmmsg(fd: number, table: Uint8Array, count: number, flags: number, timeout: null): number;
  sendto(
    fd: number,
    octets: Uint8Array,
    length: number,
    flags: number,
    name: Uint8Array,
    nameLength: number,
  ): number;
  /** Where a buffer lies. */
  address(buffer: Uint8Array): bigint;
  /** Of the call before. */
  errno(): number;
}

/** What is used of koffi. It is optional, and what builds without it must also compile without it: hence these types. */
interface Koffi {
  load(path: null): { func(prototype: string): unknown };
  address(buffer: Uint8Array): bigint;
  errno(): number;
}

const KOFFI: string = 'koffi';
/** Where the structures of `MessageTable` have the layout that is written there. */
const MACHINES = new Set(['linux x64', 'linux arm64']);

const PROTOTYPES = {
  socket: 'int socket(int, int, int)',
  bind: 'int bind(int, void *, uint)',
  setsockopt: 'int setsockopt(int, int, int, void *, uint)',
  close: 'int close(int)',
  recvmmsg: 'int recvmmsg(int, void *, uint, int, void *)',
  sendto: 'intptr_t sendto(int, void *, size_t, int, void *, uint)',
} as const;

let known: Promise<SystemCalls | undefined> | undefined;

/** Undefined on another machine than Linux on 64 bits, and where the optional package koffi is not installed. */
export const systemCalls = (): Promise<SystemCalls | undefined> => (known ??= load());

async function load(): Promise<SystemCalls | undefined> {
  if (!MACHINES.has(`${process.platform} ${process.arch}`)) return undefined;
  try {
    const koffi = (await import(KOFFI)) as Koffi;
    const library = koffi.load(null);
    const functions = Object.entries(PROTOTYPES).map(([name, text]) => [name, library.func(text)]);
    return {
      ...(Object.fromEntries(functions) as Omit<SystemCalls, 'address' | 'errno'>),
      address: (buffer) => koffi.address(buffer),
      errno: () => koffi.errno(),
    };
  } catch {
    return undefined;
  }
}

/** As Node would have thrown it. */
export function systemError(call: string, errno: number, address: string, port: number): Error {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${call} ${code} ${address}:${String(port)}`), {
    ...{ code, errno: -errno, syscall: call, address, port },
  });
}
