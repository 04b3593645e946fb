/** `node:https`, for the same reason as `http`. */
export const https = process.getBuiltinModule('node:https')
