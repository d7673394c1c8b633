import { readFileSync } from 'node:fs';

/** Torture messages of RFC 4475 and RFC 5118, octet for octet. */
export const FIXTURES = new URL('./fixtures/', import.meta.url);

/** What the tests need of one message. */
export interface CorpusRow {
  readonly file: string;
  /** Where RFC 3261 §18.2.2 sends the answer. */
  readonly sentByPort: number;
  /** The top Via names a stream: its answer over UDP would go elsewhere. */
  readonly streamOnly: boolean;
  /** Statuses that are right over UDP; empty: no answer. */
  readonly udp: readonly string[];
  readonly stream: readonly string[];
  readonly silenceAllowed: boolean;
  readonly streamSilenceAllowed: boolean;
  readonly closeAllowed: boolean;
}

interface IndexRow {
  readonly file: string;
  readonly expect_udp: readonly (string | readonly never[])[];
  readonly expect_stream?: string;
  readonly via_transport: string | null;
  readonly via_sentby: string | null;
}

const SIP_PORT = 5060;

export function readCorpus(): CorpusRow[] {
  const index = JSON.parse(readFileSync(new URL('corpus.json', FIXTURES), 'utf8')) as IndexRow[];
  return index.map((row) => {
    const udp = row.expect_udp.filter((one) => typeof one === 'string');
    const text = row.expect_stream ?? 'same';
    return {
      file: row.file,
      sentByPort: Number(/\]?:(\d+)$/.exec((row.via_sentby ?? '').replace(/^\[.*\]/, ']'))?.[1] ?? SIP_PORT),
      streamOnly: row.via_transport === 'TCP' || row.via_transport === 'TLS',
      udp,
      stream: streamStatuses(text, udp),
      // The index lists silence beside a status where no Via can be read to answer to.
      silenceAllowed: row.expect_udp.some((one) => typeof one !== 'string') || row.via_transport === null,
      // Bare LF never ends a header block on a stream (RFC 3261 §7): the message stays incomplete.
      streamSilenceAllowed: row.file.startsWith('rfc5118/') || row.via_transport === null,
      closeAllowed: /close/.test(text) || row.via_transport === null,
    };
  });
}

/** `same`, `no answer …`, `400 then close`, or a remark beside what UDP expects. */
function streamStatuses(text: string, udp: readonly string[]): readonly string[] {
  if (/^(no answer|stream: no CRLFCRLF)/.test(text)) return [];
  const [status] = /^\d{3}/.exec(text) ?? [];
  // dblreq: the INVITE behind the REGISTER is answered by itself; it has no Contact, which may be 400.
  if (text.startsWith('two messages')) return [...udp, '400', '404', '405', '407', '480', '501'];
  return status === undefined ? udp : [status];
}
