import packageFile from '../package.json' with { type: 'json' }

/** Castellan's own version. */
export const castellanVersion: string = packageFile.version
