import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'

export type Mail = {
  readonly from: string
  readonly to: string
  /** Head and text as they came. */
  readonly content: string
  readonly isEncrypted: boolean
  /** `user:password`, if somebody logged in. */
  readonly login: string | undefined
}

export type SmtpOptions = {
  /** PEM. With it, STARTTLS is offered, unless `isSecure` begins with TLS. */
  readonly credentials?: { readonly cert: string; readonly key: string }
  readonly isSecure?: boolean
  /** Answers to commands in place of the usual; undefined from the function: no answer at all. */
  readonly answers?: Readonly<Record<string, string | undefined>>
}

/** A mail server (RFC 5321) that keeps what it is given: as much of one as a client needs that hands in mail. */
export class SmtpServer {
  readonly mails: Mail[] = []
  /** Every command that came in clear text. */
  readonly overheard: string[] = []
  readonly #options: SmtpOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(options: SmtpOptions = {}) {
    this.#options = options
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      this.#converse(options.isSecure ? this.#secure(socket) : socket, options.isSecure === true, true)
    })
  }

  async listen(): Promise<number> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** How many connections are open. */
  get open(): number {
    return [...this.#sockets].filter((socket) => !socket.destroyed).length
  }

  #secure(socket: Socket): TLSSocket {
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: createSecureContext(this.#options.credentials),
    })
    secure.on('error', () => {})
    return secure
  }

  #converse(socket: Socket, isEncrypted: boolean, isNew: boolean): void {
    const { credentials, answers = {} } = this.#options
    let [from, to, content, login] = ['', '', '', undefined as string | undefined]
    let state: 'commands' | 'content' | 'login' = 'commands'
    const say = (line: string | undefined): void => void (line !== undefined && socket.write(`${line}\r\n`))
    const logIn = (word: string): void => {
      login = Buffer.from(word, 'base64').toString().split('\0').slice(1).join(':')
      state = 'commands'
      say('235 2.7.0 welcome')
    }
    const command = (line: string): void => {
      if (!isEncrypted) this.overheard.push(line)
      const [verb = '', word = '', rest = ''] = line.split(' ')
      const name = verb.toUpperCase()
      if (name in answers) return say(answers[name])
      switch (name) {
        case 'EHLO': {
          const offers = [credentials && !isEncrypted && 'STARTTLS', 'AUTH PLAIN'].filter((offer) => offer)
          const lines = ['mail.test', ...offers]
          for (const [index, each] of lines.entries()) say(`250${index < lines.length - 1 ? '-' : ' '}${each}`)
          return
        }
        case 'STARTTLS':
          if (credentials === undefined) return say('502 not here')
          say('220 go ahead')
          socket.removeAllListeners('data')
          return this.#converse(this.#secure(socket), true, false)
        case 'AUTH':
          if (rest !== '') return logIn(rest)
          state = 'login'
          return say('334 ')
        case 'MAIL':
          from = /<(.*)>/.exec(line)?.[1] ?? ''
          return say('250 ok')
        case 'RCPT':
          to = /<(.*)>/.exec(line)?.[1] ?? ''
          return say('250 ok')
        case 'DATA':
          state = 'content'
          return say('354 go ahead')
        case 'QUIT':
          say('221 bye')
          return void socket.end()
        default:
          return say(`500 what is ${word}?`)
      }
    }
    const read = (line: string): void => {
      if (state === 'login') return logIn(line)
      if (state === 'commands') return command(line)
      if (line !== '.') {
        content += `${line.replace(/^\./, '')}\n`
        return
      }
      this.mails.push({ from, to, content, isEncrypted, login })
      state = 'commands'
      content = ''
      say('250 queued')
    }
    let rest = ''
    socket.on('data', (chunk: Buffer) => {
      const lines = `${rest}${chunk}`.split('\r\n')
      rest = lines.pop()!
      for (const line of lines) read(line)
    })
    if (isNew) say('GREETING' in answers ? answers.GREETING : '220 mail.test ready')
  }
}
