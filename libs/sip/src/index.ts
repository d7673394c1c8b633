/** Placeholder of the public surface; see the owner of this package. */
export interface SipRequest { readonly kind: 'request'; readonly raw: string; readonly method: string }
export interface SipResponse { readonly kind: 'response'; readonly raw: string; readonly status: number }
