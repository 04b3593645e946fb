import { z } from 'zod'
import { switchFormat } from './plain-formats.ts'
import { Refusal } from './problem.ts'
import { distinctList, mapping, text } from './schema-elements.ts'
import { sizeFormat } from './size.ts'
import { choiceFormat, type TextFormat } from './text-format.ts'

const TYPE_ALLOWED = 'allowed: a media type such as "application/json", "text/*" or "application/*+json"'

const typeFormat: TextFormat<string> = {
  allowed: TYPE_ALLOWED,
  schema: { examples: ['text/*', 'application/json'] },
  read(written) {
    const type = written.toLowerCase()
    if (type.startsWith('application/grpc'))
      return new Refusal(TYPE_ALLOWED, { fault: 'but gRPC compresses its messages itself' })
    return /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+*-]+$/.test(type) ? type : new Refusal(TYPE_ALLOWED)
  },
}

/** What is text, or as good as; pictures, films, archives and WOFF are compressed by themselves. */
const TYPES = [
  'text/*',
  'application/json',
  'application/*+json',
  'application/javascript',
  'application/x-javascript',
  'application/xml',
  'application/*+xml',
  'application/x-ndjson',
  'application/wasm',
  'application/vnd.ms-fontobject',
  'font/otf',
  'font/ttf',
  'image/svg+xml',
  'image/bmp',
  'image/x-icon',
  'image/vnd.microsoft.icon',
]

const compressMapping = mapping('compress', {
  encodings: distinctList(choiceFormat(['zstd', 'br', 'gzip']))
    .prefault(['zstd', 'br', 'gzip'])
    .describe('In order of preference, where the client has none.'),
  minSize: text(sizeFormat({ atLeast: '0B', atMost: '1GiB' }))
    .prefault('1KiB')
    .describe('The least content that is worth it, where its length is known.'),
  types: distinctList(typeFormat).prefault(TYPES).describe('Which media types; the default is what is text.'),
})

const ALLOWED = 'allowed: on, off, or a mapping with encodings, minSize, types'

/** As it stands in the file, with its defaults. */
export type CompressSettings = z.output<typeof compressMapping>

/** Compression of responses. */
export const compress = z
  .union([z.boolean(), text(switchFormat(ALLOWED)), compressMapping], { error: () => ALLOWED })
  .transform((value): false | CompressSettings => (value === true ? compressMapping.parse({}) : value))
  .describe(
    'Compresses responses for clients that take it. Not for pages that show a secret beside what a visitor sends (BREACH).',
  )
