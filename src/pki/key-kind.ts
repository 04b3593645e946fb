/** The kinds of keys that certificates and accounts may have, as the config names them. */
export const keyKinds = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072', 'rsa-4096'] as const
export type KeyKind = (typeof keyKinds)[number]
