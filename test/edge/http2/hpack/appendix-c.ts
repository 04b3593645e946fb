// The lists and octets of RFC 7541 Appendix C, and the dynamic table after each, the newest entry first.

export type Example = {
  readonly section: string
  readonly octets: string
  readonly fields: readonly string[]
  readonly table: readonly string[]
}

const AUTHORITY = [':authority', 'www.example.com']
const NO_CACHE = ['cache-control', 'no-cache']
const CUSTOM = ['custom-key', 'custom-value']

const REQUESTS = [
  { fields: [':method', 'GET', ':scheme', 'http', ':path', '/', ...AUTHORITY], table: AUTHORITY },
  {
    fields: [':method', 'GET', ':scheme', 'http', ':path', '/', ...AUTHORITY, ...NO_CACHE],
    table: [...NO_CACHE, ...AUTHORITY],
  },
  {
    fields: [':method', 'GET', ':scheme', 'https', ':path', '/index.html', ...AUTHORITY, ...CUSTOM],
    table: [...CUSTOM, ...NO_CACHE, ...AUTHORITY],
  },
] as const

const PRIVATE = ['cache-control', 'private']
const DATE_21 = ['date', 'Mon, 21 Oct 2013 20:13:21 GMT']
const DATE_22 = ['date', 'Mon, 21 Oct 2013 20:13:22 GMT']
const LOCATION = ['location', 'https://www.example.com']
const GZIP = ['content-encoding', 'gzip']
const COOKIE = ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1']

/** With a table of 256 octets. */
export const RESPONSE_TABLE_BYTES = 256

const RESPONSES = [
  {
    fields: [':status', '302', ...PRIVATE, ...DATE_21, ...LOCATION],
    table: [...LOCATION, ...DATE_21, ...PRIVATE, ':status', '302'],
  },
  {
    fields: [':status', '307', ...PRIVATE, ...DATE_21, ...LOCATION],
    table: [':status', '307', ...LOCATION, ...DATE_21, ...PRIVATE],
  },
  {
    fields: [':status', '200', ...PRIVATE, ...DATE_22, ...LOCATION, ...GZIP, ...COOKIE],
    table: [...COOKIE, ...GZIP, ...DATE_22],
  },
] as const

/** Each is the only block of its connection. */
export const REPRESENTATIONS: readonly Example[] = [
  {
    section: 'C.2.1',
    octets: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
    fields: ['custom-key', 'custom-header'],
    table: ['custom-key', 'custom-header'],
  },
  { section: 'C.2.2', octets: '040c 2f73 616d 706c 652f 7061 7468', fields: [':path', '/sample/path'], table: [] },
  { section: 'C.2.3', octets: '1008 7061 7373 776f 7264 0673 6563 7265 74', fields: ['password', 'secret'], table: [] },
  { section: 'C.2.4', octets: '82', fields: [':method', 'GET'], table: [] },
]

/** Three blocks of one connection. */
export const PLAIN_REQUESTS: readonly Example[] = [
  { section: 'C.3.1', octets: '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', ...REQUESTS[0] },
  { section: 'C.3.2', octets: '8286 84be 5808 6e6f 2d63 6163 6865', ...REQUESTS[1] },
  {
    section: 'C.3.3',
    octets: '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ...REQUESTS[2],
  },
]

export const HUFFMAN_REQUESTS: readonly Example[] = [
  { section: 'C.4.1', octets: '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', ...REQUESTS[0] },
  { section: 'C.4.2', octets: '8286 84be 5886 a8eb 1064 9cbf', ...REQUESTS[1] },
  { section: 'C.4.3', octets: '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', ...REQUESTS[2] },
]

export const PLAIN_RESPONSES: readonly Example[] = [
  {
    section: 'C.5.1',
    octets: `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
             2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
    ...RESPONSES[0],
  },
  { section: 'C.5.2', octets: '4803 3330 37c1 c0bf', ...RESPONSES[1] },
  {
    section: 'C.5.3',
    octets: `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
             54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
             5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ...RESPONSES[2],
  },
]

export const HUFFMAN_RESPONSES: readonly Example[] = [
  {
    section: 'C.6.1',
    octets: `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
             2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
    ...RESPONSES[0],
  },
  { section: 'C.6.2', octets: '4883 640e ffc1 c0bf', ...RESPONSES[1] },
  {
    section: 'C.6.3',
    octets: `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
             77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
             9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ...RESPONSES[2],
  },
]
