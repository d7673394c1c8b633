import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type SecureVersion,
} from 'node:tls';
import { BoundedMap } from '@rollcall/kernel';
import type { NetLog } from './runner-context.ts';

/** A certificate chain and its private key, PEM files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface TlsSettings {
  /** The first is shown to clients that name no host, or one that no certificate is for. */
  readonly certificates: readonly CertificateFiles[];
  /** Whether clients are asked for a certificate, and refused without one (mutual TLS). */
  readonly clientCertificates?: 'off' | 'ask' | 'require';
  /** PEM file of the authorities that client certificates are signed by. */
  readonly clientAuthorities?: string | undefined;
  readonly minVersion?: SecureVersion;
  /**
   * 48 octets that session tickets are sealed with (RFC 5077), the same on all edges so that a phone resumes its session
   * on any of them; asked again and again, so that they may change with time.
   */
  readonly ticketKeys?: (now: number) => Buffer;
  /** PEM file of the authorities that servers outside are checked against; those of the system when unset. */
  readonly serverAuthorities?: string | undefined;
}

interface Entry {
  readonly leaf: X509Certificate;
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
}

interface Loaded {
  readonly entries: readonly Entry[];
  /** What the files held, to see whether they have changed. */
  readonly contents: string;
  readonly ticketKeys: Buffer | undefined;
  readonly serverAuthorities: string | undefined;
}

/** Host names come from clients; so many are remembered with the certificate that is for them. */
const KEPT_NAMES = 1_024;
/** Part of every session, so that a session of one of our edges is known to be ours by the others (SSL_CTX_set_session_id_context). */
const SESSION_CONTEXT = 'rollcall';

/**
 * The certificates of the TLS listeners: chosen by the name that the client asks for (SNI, RFC 6066 §3), read again when
 * their files change. A file that cannot be used leaves what was there in place.
 */
export class TlsContexts {
  readonly settings: TlsSettings;
  readonly #log: NetLog;
  readonly #now: () => number;
  readonly #byName = new BoundedMap<string, Entry>(KEPT_NAMES);
  #loaded: Loaded | undefined;
  #failing = '';
  #reading: Promise<void> | undefined;
  /** Times that new files were taken, and that they could not be. */
  reloads = 0;
  failures = 0;

  constructor(settings: TlsSettings, now: () => number, log: NetLog) {
    this.settings = settings;
    this.#now = now;
    this.#log = log;
  }

  /** Reads the files. Rejects with what is wrong with them. */
  async load(): Promise<void> {
    this.#loaded = this.#read(await this.#contents());
  }

  /** When the first certificate to expire does, ms. */
  get expiresAt(): number {
    const times = (this.#loaded?.entries ?? []).map(({ leaf }) => Date.parse(leaf.validTo));
    return Math.min(...times);
  }

  /** The context for a host name; the default one for what no certificate names. */
  contextFor(name: string | undefined): SecureContext {
    const entries = this.#loaded?.entries ?? [];
    const [first] = entries;
    if (first === undefined) throw new Error('no certificate has been loaded');
    if (name === undefined || name === '' || entries.length === 1) return first.context;
    const known = this.#byName.get(name);
    if (known !== undefined) return known.context;
    // RFC 5922 §7.2: the name must be a subject alternative name; wildcards stand for one label.
    const found =
      entries.find(({ leaf }) => leaf.checkHost(name, { subject: 'default' }) !== undefined) ?? first;
    this.#byName.set(name, found);
    return found.context;
  }

  /** What a TLS server uses for clients that name no host, and a TLS client of ours shows when it is asked. */
  get defaults(): SecureContextOptions {
    return this.#loaded?.entries[0]?.options ?? {};
  }

  /** PEM of the authorities that servers outside are checked against; undefined: those of the system. */
  get serverAuthorities(): string | undefined {
    return this.#loaded?.serverAuthorities;
  }

  get clientOptions(): { requestCert: boolean; rejectUnauthorized: boolean } {
    const { clientCertificates = 'off' } = this.settings;
    return {
      requestCert: clientCertificates !== 'off',
      rejectUnauthorized: clientCertificates === 'require',
    };
  }

  /** Reads the files again when they have changed, or the ticket keys have. Never rejects; true when something new is used. */
  async refresh(): Promise<boolean> {
    const before = this.#loaded;
    this.#reading ??= this.#refresh().finally(() => (this.#reading = undefined));
    await this.#reading;
    return this.#loaded !== before;
  }

  async #refresh(): Promise<void> {
    try {
      const contents = await this.#contents();
      const keys = this.settings.ticketKeys?.(this.#now());
      const sameFiles = contents.join('\0') === this.#loaded?.contents;
      if (sameFiles && keys?.toString('hex') === this.#loaded?.ticketKeys?.toString('hex')) return;
      this.#loaded = this.#read(contents);
      this.#byName.clear();
      if (sameFiles) return;
      this.reloads += 1;
      this.#failing = '';
      this.#log.info({ certificates: this.settings.certificates.length }, 'new TLS certificates are used');
    } catch (error) {
      const reason = String(error);
      if (reason === this.#failing) return;
      this.#failing = reason;
      this.failures += 1;
      this.#log.warn({ reason }, 'new TLS certificates cannot be used, the old ones stay');
    }
  }

  async #contents(): Promise<string[]> {
    const { certificates, clientAuthorities, serverAuthorities } = this.settings;
    const files = certificates.flatMap(({ certificate, key }) => [certificate, key]);
    for (const file of [clientAuthorities, serverAuthorities]) if (file !== undefined) files.push(file);
    return Promise.all(files.map((file) => readFile(file, 'utf8')));
  }

  #read(contents: readonly string[]): Loaded {
    const { certificates, clientAuthorities, minVersion = 'TLSv1.2', ticketKeys } = this.settings;
    const keys = ticketKeys?.(this.#now());
    const others = contents.slice(2 * certificates.length);
    const ca = clientAuthorities === undefined ? undefined : others.shift();
    const entries = certificates.map((_, index): Entry => {
      const cert = contents[2 * index] ?? '';
      const key = contents[2 * index + 1] ?? '';
      const options: SecureContextOptions = {
        cert,
        key,
        minVersion,
        sessionIdContext: SESSION_CONTEXT,
        ...(ca === undefined ? undefined : { ca }),
        ...(keys === undefined ? undefined : { ticketKeys: keys }),
      };
      return { leaf: new X509Certificate(cert), options, context: createSecureContext(options) };
    });
    return { entries, contents: contents.join('\0'), ticketKeys: keys, serverAuthorities: others.shift() };
  }
}
