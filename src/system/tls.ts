/** `node:tls`, without what an import reads: Node's own list of authorities, a megabyte of every process. */
export const tls = process.getBuiltinModule('node:tls')
