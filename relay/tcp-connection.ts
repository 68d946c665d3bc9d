import { compact } from "./chunk-queue.ts";
import type { HostStream, StreamEvents } from "./host.ts";
import { checkSegment, lengthOf } from "./tcp-checks.ts";
import { makeHalves, type TcpHalves } from "./tcp-halves.ts";
import { TcpHostSide } from "./tcp-host-side.ts";
import { TcpKeepAlive } from "./tcp-keep-alive.ts";
import type { TcpReceiver } from "./tcp-receiver.ts";
import { ACK, FIN, parseTcpOptions, RST, type Segment, SYN } from "./tcp-segment.ts";
import type { Piece, TcpSender } from "./tcp-sender.ts";
import { addSequence, sequenceDistance } from "./tcp-sequence.ts";
import type { ConnectionOptions, Phase, SavedFlow, TcpFlow, TcpServices } from "./tcp-services.ts";
import { TcpTransmitter } from "./tcp-transmitter.ts";
import type { Timer } from "./timers.ts";
import type { Endpoint } from "./udp.ts";

/** Twice the time that a segment can live on this wire (RFC 9293, 3.6.1); nothing on it stores frames. */
const TIME_WAIT_MS = 2000;
/** RFC 9293, 3.8.6.3 allows 500 ms; a guest that writes little waits for it. */
const ACKNOWLEDGE_WITHIN_MS = 5;
const MAX_SYN_TRIES = 6;
/** With RFC 6298's doubling, minutes in which the guest could run and did not answer. */
const MAX_TIMEOUTS = 10;

/** One TCP connection of the guest's, and the host's stream that it is joined to. */
export class TcpConnection implements TcpFlow, StreamEvents {
  readonly guest: Endpoint;
  readonly remote: Endpoint;
  readonly #services: TcpServices;
  readonly #host: TcpHostSide;
  readonly #out: TcpTransmitter;
  /** SYN, data, FIN and window probes that the guest has not answered. */
  readonly #retransmission: Timer;
  readonly #acknowledgment: Timer;
  /** Connecting, keep-alive or TIME_WAIT, by phase. */
  readonly #life: Timer;
  #phase: Phase = "connecting";
  #halves: TcpHalves;
  /** First sequence numbers: ours, and the guest's. */
  readonly #ours: number;
  #theirs = 0;
  /** The guest's FIN came before ours went: then TIME_WAIT is the guest's. */
  #guestClosedFirst: boolean | undefined;
  #acknowledgesNow = false;
  #timeouts = 0;
  readonly #keepAlive = new TcpKeepAlive();

  constructor(options: ConnectionOptions) {
    this.guest = options.guest;
    this.remote = options.remote;
    this.#services = options.services;
    this.#host = new TcpHostSide(options.gate);
    this.#out = new TcpTransmitter(options.services, options.remote, options.guest);
    this.#ours = options.services.random32();
    const { timers } = options.services;
    this.#retransmission = timers.create(() => this.#onRetransmission());
    this.#acknowledgment = timers.create(() => this.#sendControl(ACK));
    this.#life = timers.create(() => this.#onLife());
    const unknown = { mssBytes: 0, windowScale: 0 };
    this.#halves = makeHalves(this.#services, this.#ours, 0, unknown);
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Enough to end the guest's side from outside, later; `undefined` while it has none. */
  get saved(): SavedFlow | undefined {
    if (this.#phase !== "open" && this.#phase !== "syn-received") return undefined;
    const { highest: sequence } = this.#sender;
    return {
      guest: this.guest,
      remote: this.remote,
      sequence,
      acknowledgment: this.#receiver.next,
    };
  }

  /** The guest's SYN: nothing is answered before the host is connected. */
  openByGuest(syn: Segment, connect: (events: StreamEvents) => HostStream): void {
    this.#readSyn(syn);
    this.#life.set(this.#services.limits.connectTimeoutMs);
    this.#host.attach(connect(this));
  }

  /** A connection from outside to a port of the guest's. */
  openToGuest(stream: HostStream): void {
    this.#host.attach(stream);
    this.#host.pause();
    this.#phase = "syn-sent";
    this.#sendSyn();
  }

  /** Whether this is the SYN that opened the connection, sent once more. */
  isOpenedBy(syn: Segment): boolean {
    return syn.sequence === this.#theirs;
  }

  /** TIME_WAIT ends early for a new connection that cannot be taken for the old (RFC 9293, 3.10.7.4). */
  givesWayTo(syn: Segment): boolean {
    if (this.#phase === "time-wait") return sequenceDistance(syn.sequence, this.#receiver.next) > 0;
    return this.#phase === "connecting" || this.#phase === "syn-received";
  }

  // What the host's stream tells.

  onConnect(remoteAddress: string): void {
    if (this.#phase !== "connecting") return;
    if (!this.#services.acceptsPeer(this, remoteAddress)) {
      this.#failToConnect("EACCES");
      return;
    }
    this.#phase = "syn-received";
    this.#life.stop();
    this.#services.onConnected(this);
    this.#sendSyn();
  }

  onData(bytes: Uint8Array, release?: () => void): void {
    if (this.#phase === "closed" || this.#phase === "time-wait") {
      release?.();
      return;
    }
    this.#sender.push(bytes, release);
    this.#host.limitReading(this.#services, this.#sender.bufferedBytes);
    this.#services.wantsToSend(this);
  }

  onEnd(): void {
    this.#sender.finish();
    this.#services.wantsToSend(this);
  }

  onDrain(): void {
    if (this.#phase !== "open") return;
    this.drain();
    this.#finishIfDone();
  }

  onError(code: string): void {
    if (this.#phase === "closed") return;
    this.#host.forget();
    if (this.#phase !== "connecting") {
      this.abort();
      return;
    }
    this.#failToConnect(code);
  }

  /** A segment of the guest's for this connection (RFC 9293, 3.10.7). */
  receive(segment: Segment): void {
    const { flags } = segment;
    if (this.#phase === "connecting") {
      const isExact = segment.sequence === addSequence(this.#theirs, 1);
      if ((flags & RST) !== 0 && isExact) this.close(true);
      return;
    }
    if (this.#phase === "syn-sent") {
      this.#receiveSynSent(segment);
      return;
    }
    const check = checkSegment(segment, this.#receiver);
    if (check === "reset") this.close(true);
    else if (check === "challenge") {
      const isFirst = (flags & SYN) !== 0 && this.isOpenedBy(segment);
      if (this.#phase === "syn-received" && isFirst) this.#sendSyn();
      else this.#acknowledgeSoon(true);
    }
    const length = lengthOf(segment);
    if (check !== "sound" || !this.#receiveAcknowledgment(segment, length)) return;
    if (length > 0) this.#receiveData(segment);
    this.#finishIfDone();
  }

  sendOne(): boolean {
    if (this.#phase !== "open") return false;
    const piece = this.#sender.take(this.#services.timers.nowMs());
    if (piece !== undefined) this.#sendPiece(piece);
    else if (this.#sender.hasUnsent) this.#startRetransmission();
    return piece !== undefined;
  }

  acknowledgeIfDue(): void {
    if (this.#phase !== "open" && this.#phase !== "time-wait") return;
    const isDue = this.#acknowledgesNow || this.#receiver.deservesAcknowledgment;
    if (isDue || this.#receiver.canOpenWindow(this.#host.unsentBytes)) this.#sendControl(ACK);
    else if (this.#receiver.hasUnacknowledged && !this.#acknowledgment.isSet)
      this.#acknowledgment.set(ACKNOWLEDGE_WITHIN_MS);
  }

  drain(): void {
    if (this.#phase !== "open") return;
    const verdict = this.#host.judge(this.#receiver);
    if (verdict === "closed") {
      this.abort();
      return;
    }
    if (verdict === "open") {
      const moved = this.#host.drain(this.#receiver, this.#services.upAllowance(this));
      if (moved > 0) this.#services.onMovedUp(moved);
    }
    this.#receiver.account(this.#host.unsentBytes);
    if (this.#receiver.canOpenWindow(this.#host.unsentBytes)) this.#acknowledgeSoon(false);
  }

  /** Ends both sides at once: the guest and the host see a reset. */
  abort(): void {
    if (this.#phase === "syn-sent") this.#sendControl(RST);
    else if (this.#phase === "syn-received" || this.#phase === "open") this.#sendControl(RST | ACK);
    this.close(true);
  }

  /** Gives everything back, and says nothing to the guest. */
  close(reset: boolean): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    for (const timer of [this.#retransmission, this.#acknowledgment, this.#life]) timer.stop();
    this.#host.destroy(reset);
    this.#sender.clear();
    this.#receiver.clear();
    this.#services.onClosed(this);
  }

  #receiveSynSent(segment: Segment): void {
    const answersOurs = segment.acknowledgment === addSequence(this.#ours, 1);
    if ((segment.flags & ACK) === 0 || !answersOurs) return;
    if ((segment.flags & RST) !== 0) {
      this.close(true);
      return;
    }
    if ((segment.flags & SYN) === 0) return;
    this.#readSyn(segment);
    this.#open(segment, segment.window);
    this.#acknowledgeSoon(true);
  }

  #failToConnect(code: string): void {
    this.#services.onConnectFailed(this, code, addSequence(this.#theirs, 1));
    this.close(true);
  }

  #readSyn(syn: Segment): void {
    const options = parseTcpOptions(syn.options);
    this.#theirs = syn.sequence;
    this.#halves = makeHalves(this.#services, this.#ours, this.#theirs, options);
  }

  get #sender(): TcpSender {
    return this.#halves.sender;
  }

  get #receiver(): TcpReceiver {
    return this.#halves.receiver;
  }

  /** The guest has acknowledged our SYN. */
  #open(segment: Segment, windowBytes: number): void {
    this.#phase = "open";
    this.#retransmission.stop();
    this.#sender.acknowledge(segment, windowBytes, true, this.#services.timers.nowMs());
    this.#onHeard();
    this.#onLife();
    this.#host.resume();
    this.#services.wantsToSend(this);
  }

  #onHeard(): void {
    this.#timeouts = 0;
    this.#keepAlive.onHeard(this.#services.timers.nowMs());
  }

  /** False when the segment is to be dropped. */
  #receiveAcknowledgment(segment: Segment, length: number): boolean {
    const windowBytes = segment.window << this.#halves.guestScale;
    if (this.#phase === "syn-received") {
      if (segment.acknowledgment !== addSequence(this.#ours, 1)) {
        this.#services.answerReset(segment, this.guest, this.remote);
        return false;
      }
      this.#open(segment, windowBytes);
      return true;
    }
    if (sequenceDistance(segment.acknowledgment, this.#sender.highest) > 0) {
      this.#acknowledgeSoon(true);
      return false;
    }
    const now = this.#services.timers.nowMs();
    this.#onHeard();
    const { freed, isLost, isNew } = this.#sender.acknowledge(
      segment,
      windowBytes,
      length > 0,
      now,
    );
    if (isNew) this.#retransmission.stop();
    if (isLost) this.#resendFirst();
    if (this.#sender.inFlight > 0) this.#startRetransmission();
    if (freed > 0) this.#host.limitReading(this.#services, this.#sender.bufferedBytes);
    if (this.#sender.hasUnsent) this.#services.wantsToSend(this);
    return true;
  }

  #receiveData(segment: Segment): void {
    const fin = (segment.flags & FIN) !== 0;
    const { bytes, isOutOfOrder } = this.#receiver.receive(segment, fin);
    if (bytes.length > 0) this.#receiver.enqueue(compact(bytes));
    this.#acknowledgeSoon(isOutOfOrder || fin || bytes.length < segment.payload.length);
    this.drain();
  }

  #finishIfDone(): void {
    if (this.#phase === "time-wait") this.#life.set(TIME_WAIT_MS);
    if (this.#phase !== "open" || !this.#sender.isFinished || !this.#receiver.isFinished) return;
    // What the host has not taken yet stays counted as this connection's.
    if (this.#receiver.queuedBytes + this.#host.unsentBytes > 0) return;
    if (this.#guestClosedFirst) {
      this.acknowledgeIfDue();
      this.close(false);
      return;
    }
    this.#phase = "time-wait";
    this.#retransmission.stop();
    this.#host.destroy(false);
    this.#life.set(TIME_WAIT_MS);
    this.#services.onTimeWait(this);
  }

  #sendSyn(): void {
    this.#out.syn(this.#ours, this.#halves, this.#phase !== "syn-sent");
    this.#startRetransmission();
  }

  #sendPiece(piece: Piece): void {
    if (piece.fin) this.#guestClosedFirst ??= this.#receiver.isFinished;
    this.#onAcknowledged();
    this.#out.data(piece, this.#halves, this.#host.unsentBytes);
    this.#services.onSentDown(piece.length);
    this.#startRetransmission();
  }

  /** What the guest expects next is what was sent last: only that number is believed in a RST (RFC 5961, 3.2). */
  #sendControl(flags: number, sequence = this.#sender.highest): void {
    this.#onAcknowledged();
    this.#out.control(flags, sequence, this.#halves, this.#host.unsentBytes);
  }

  /** Whatever is sent acknowledges. */
  #onAcknowledged(): void {
    this.#acknowledgesNow = false;
    this.#acknowledgment.stop();
  }

  #acknowledgeSoon(now: boolean): void {
    this.#acknowledgesNow ||= now;
    this.#services.wantsToAcknowledge(this);
  }

  #resendFirst(): void {
    if (!this.#out.hasRoom) return;
    const piece = this.#sender.takeFirst(this.#services.timers.nowMs());
    if (piece !== undefined) this.#sendPiece(piece);
  }

  #startRetransmission(): void {
    if (!this.#retransmission.isSet) this.#retransmission.set(this.#sender.roundTrip.timeoutMs);
  }

  #onRetransmission(): void {
    // A guest that has not even looked at what came has lost nothing.
    if (!this.#out.hasRoom) {
      this.#startRetransmission();
      return;
    }
    this.#timeouts++;
    const isOpening = this.#phase === "syn-sent" || this.#phase === "syn-received";
    if (this.#timeouts > (isOpening ? MAX_SYN_TRIES : MAX_TIMEOUTS)) {
      this.abort();
      return;
    }
    this.#sender.onTimeout();
    if (isOpening) this.#sendSyn();
    else this.#resendFirst();
  }

  #onLife(): void {
    if (this.#phase !== "open") {
      this.close(this.#phase === "connecting");
      return;
    }
    const { action, waitMs } = this.#keepAlive.next(this.#services.timers.nowMs());
    if (action === "give up") {
      this.abort();
      return;
    }
    if (action === "probe") {
      this.#sendControl(ACK, addSequence(this.#sender.unacknowledged, -1));
    }
    this.#life.set(waitMs);
  }
}
