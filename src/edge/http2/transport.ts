import type { Duplex } from 'node:stream'
import { describeError } from '../../errors.ts'
import { countReadBytes } from '../buffer-garbage.ts'
import type { Sweeping, Swept } from '../sweep.ts'
import { Budgets } from './budgets.ts'
import { ErrorCode } from './error-code.ts'
import { Flag, FrameType, PING_BYTES, readUInt31 } from './frame.ts'
import { type FrameHandler, FrameReader } from './frame-reader.ts'
import type { Setting } from './frame-writer.ts'
import { connectionError, Http2Error } from './http2-error.ts'
import type { Http2Limits } from './limits.ts'
import { Output, type OutputSource } from './output.ts'
import { ProgressWatch } from './progress-watch.ts'
import { PeerSettings } from './settings.ts'

export type TransportOptions = {
  /** It is read and written by the connection alone from now on. What was read before is put back by `unshift`. */
  readonly socket: Duplex
  readonly sweep: Sweeping
  readonly limits: Http2Limits
  /** Called once, when the socket has closed; with an error if one of either side was the reason. */
  readonly onClose: (error: Http2Error | undefined) => void
  /** Called for each stream that is reset for what the peer did, or failed to do. */
  readonly onStreamError: (error: Http2Error) => void
}

/**
 * The part of an HTTP/2 connection that knows no streams: its socket, its settings, its end (RFC 9113 §3.4, §5.4.1,
 * §6.5).
 */
export abstract class Http2Transport<S> implements FrameHandler, OutputSource<S>, Swept {
  protected readonly limits: Http2Limits
  protected readonly output: Output<S>
  protected readonly budgets: Budgets
  protected readonly peerSettings: PeerSettings
  /** Who is at the other end. */
  protected readonly peer: 'client' | 'server'
  /** The time of the last sweep, so late by a second at most. */
  protected sweptAt: number
  /** When something came last. */
  protected receivedAt: number
  readonly #socket: Duplex
  readonly #sweep: Sweeping
  readonly #onClose: (error: Http2Error | undefined) => void
  readonly #reader: FrameReader
  readonly #openedAt: number
  readonly #frameWatch = new ProgressWatch()
  #hasPeerSettings = false
  #unacknowledgedSince: number | undefined
  #endedAt: number | undefined
  #error: Http2Error | undefined

  constructor(
    { socket, sweep, limits, onClose }: TransportOptions,
    peer: 'client' | 'server',
    settings: readonly Setting[],
  ) {
    this.limits = limits
    this.peer = peer
    this.#socket = socket
    this.#sweep = sweep
    this.#onClose = onClose
    // First of all, for the time stands still while it has no members.
    sweep.add(this)
    this.#openedAt = sweep.now
    this.sweptAt = this.#openedAt
    this.receivedAt = this.#openedAt
    this.peerSettings = new PeerSettings(peer)
    this.budgets = new Budgets(limits, () => sweep.now)
    this.output = new Output(socket, this)
    this.#reader = new FrameReader(this, { expectsPreface: peer === 'client' })
    this.#begin(settings)
  }

  abstract onFill(): void
  abstract onFlushed(): void
  abstract onDelivered(ended: readonly S[]): void
  abstract onData(piece: Buffer): void
  abstract onPadding(bytes: number): void
  abstract onDataEnd(flags: number): void
  /** A frame begins, after the peer's SETTINGS. */
  protected abstract beginFrame(type: number, streamId: number, length: number): void
  /** The payload of a frame that is neither DATA nor the transport's. */
  protected abstract readFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void
  /** The peer's settings have changed, and its initial window by this. They are acknowledged when this returns. */
  protected abstract applySettings(windowDifference: number): void
  /** They are acknowledged. */
  protected abstract onSettings(): void
  protected abstract onGoaway(lastStreamId: number, errorCode: number): void
  protected abstract onPingAck(payload: Buffer): void
  /** Gives the peer a right to what it answers to content. */
  protected abstract earnAnswers(): void
  /** The connection is over. It may be called more than once. */
  protected abstract onOver(error: Http2Error): void
  /** Looks after deadlines. What it throws ends the connection. */
  protected abstract sweepStreams(now: number): void
  /** The highest stream of the peer that we have done anything for, which GOAWAY tells it. */
  protected abstract readonly lastPeerStreamId: number

  /** No more than closing is done. */
  protected get isEnded(): boolean {
    return this.#endedAt !== undefined
  }

  /** Ends the connection: by GOAWAY of this error, or of NO_ERROR. All streams are over at once (RFC 9113 §5.4.1). */
  protected end(error: Http2Error | undefined): void {
    if (this.isEnded) return
    this.#endedAt = this.#sweep.now
    this.#error = error
    this.#reader.stop()
    this.output.frames.goaway(this.lastPeerStreamId, error?.errorCode ?? ErrorCode.noError, error?.code ?? '')
    this.output.end()
    this.onOver(error ?? connectionError('socket-closed'))
  }

  /** Whatever goes wrong costs this connection and nothing else. */
  protected guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.end(asConnectionError(error))
    }
  }

  /** RFC 9113 §3.4. */
  #begin(settings: readonly Setting[]): void {
    const { frames } = this.output
    if (this.peer === 'server') frames.preface()
    frames.settings(settings)
    this.#unacknowledgedSince = this.#openedAt
    this.output.schedule()
    this.#listen()
  }

  #listen(): void {
    const read = (chunk: Buffer): void => {
      this.receivedAt = this.sweptAt
      countReadBytes(chunk.length)
      this.guard(() => this.#reader.push(chunk))
    }
    this.#socket.on('data', read)
    this.#socket.on('end', () => this.#peerEnded())
    this.#socket.on('error', (cause) => {
      this.#error ??= new Http2Error('connection', 'socket-failed', { reason: describeError(cause) }, cause)
    })
    this.#socket.once('close', () => this.#closed())
    // A socket that was paused on purpose is not set going by a listener.
    this.#socket.resume()
  }

  /**
   * Who has the whole response may hang up before this process hears that it has left the socket: curl does. So that is
   * heard first, for the response was not broken off.
   */
  #peerEnded(): void {
    if (this.#socket.writableLength === 0) this.end(undefined)
    else setImmediate(() => this.end(undefined))
  }

  #closed(): void {
    this.#sweep.delete(this)
    this.#reader.stop()
    this.#endedAt ??= this.#sweep.now
    this.onOver(this.#error ?? connectionError('socket-closed'))
    this.#onClose(this.#error)
  }

  onFrameHeader(type: number, flags: number, streamId: number, length: number): void {
    // RFC 9113 §3.4.
    if (!this.#hasPeerSettings && (type !== FrameType.settings || (flags & Flag.ack) !== 0))
      throw connectionError('settings-missing')
    this.beginFrame(type, streamId, length)
  }

  onPayload(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.settings:
        this.#readSettings(flags, bytes, start, end)
        break
      case FrameType.ping:
        this.#readPing(flags, bytes, start)
        break
      case FrameType.goaway:
        this.onGoaway(readUInt31(bytes, start), bytes.readUInt32BE(start + 4))
        break
      case FrameType.pushPromise:
        throw connectionError('push-refused')
      default:
        this.readFrame(type, flags, streamId, bytes, start, end)
    }
    if (this.output.frames.controlBytes > this.limits.maxControlBytes) this.#boundControl()
  }

  /** RFC 9113 §6.5. */
  #readSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    this.budgets.charge('settings')
    if ((flags & Flag.ack) !== 0) {
      if (this.#unacknowledgedSince === undefined) throw connectionError('settings-ack-unexpected')
      this.#unacknowledgedSince = undefined
      return
    }
    if ((end - start) / 6 > this.limits.maxSettings) throw connectionError('settings-flood', { octets: end - start })
    const { initialWindowSize } = this.peerSettings
    this.peerSettings.apply(bytes, start, end)
    this.#hasPeerSettings = true
    // RFC 9113 §6.5.3: first applied, then acknowledged.
    this.applySettings(this.peerSettings.initialWindowSize - initialWindowSize)
    this.output.frames.settingsAck()
    this.output.schedule()
    this.onSettings()
  }

  /** RFC 9113 §6.7. */
  #readPing(flags: number, bytes: Buffer, start: number): void {
    this.earnAnswers()
    this.budgets.charge('pings')
    if ((flags & Flag.ack) !== 0) return this.onPingAck(bytes.subarray(start, start + PING_BYTES))
    this.output.frames.ping(bytes, start, Flag.ack)
    this.output.schedule()
  }

  /** The peer asks for answers; if it does not read them either, it is after our memory. */
  #boundControl(): void {
    if (this.output.isBlocked) throw connectionError('control-queue-full')
    this.output.flush()
  }

  sweep(now: number): void {
    this.sweptAt = now
    if (this.#endedAt === undefined) {
      this.guard(() => {
        this.#checkDeadlines(now)
        this.sweepStreams(now)
      })
    } else if (now - this.#endedAt >= this.limits.lingerMs) this.#socket.destroy()
  }

  #checkDeadlines(now: number): void {
    const { prefaceMs, settingsAckMs, fieldBlockMs, writeStallMs } = this.limits
    if (!this.#hasPeerSettings && now - this.#openedAt >= prefaceMs) throw connectionError('preface-missing')
    if (this.#unacknowledgedSince !== undefined && now - this.#unacknowledgedSince >= settingsAckMs)
      throw connectionError('settings-timeout')
    const { isWithinFrame, framesBegun } = this.#reader
    if (this.#frameWatch.isOverdue(now, isWithinFrame, framesBegun, 1, fieldBlockMs))
      throw connectionError('frame-timeout')
    if (this.output.isStalled(now, writeStallMs)) throw connectionError('write-stalled')
  }
}

function asConnectionError(error: unknown): Http2Error {
  if (!(error instanceof Http2Error))
    return new Http2Error('connection', 'internal-error', { reason: describeError(error) }, error)
  return error.scope === 'connection' ? error : connectionError(error.code, error.facts)
}
