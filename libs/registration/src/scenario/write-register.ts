import type { RegisterFields } from './scenario.ts';

/** What an edge writes into Path, for drivers that have none; its token is read, never verified. */
export const EDGE_PATH = '<sip:edge-1~1~u0-c0000201-5060~AAAAAAAAAAAAAAAA@192.0.2.250;lr;ob>';

/**
 * The REGISTER that a scenario's fields mean, without Via, Max-Forwards, credentials and Content-Length, which are the driver's:
 * `via` is put first, `extra` (whole header lines) before the end.
 */
export function writeRegister(fields: RegisterFields, via: string, extra = ''): string {
  const lines = [
    `REGISTER ${fields.uri} SIP/2.0`,
    `Via: ${via}`,
    'Max-Forwards: 70',
    `From: ${fields.from};tag=scenario`,
    `To: ${fields.to}`,
    `Call-ID: ${fields.callId}`,
    `CSeq: ${fields.cseq.toString()} REGISTER`,
    ...fields.contacts.map((contact) => `Contact: ${contact}`),
    ...fields.headers,
  ];
  return `${lines.join('\r\n')}\r\n${extra}Content-Length: 0\r\n\r\n`;
}
