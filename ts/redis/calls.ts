/**
 * Everything that goes to Redis passes here: it is tried only if the breaker is closed and not too much is under way,
 * settles by its deadline, and its outcome is told to the breaker and counted.
 *
 * An *attempt* is one operation as the caller knows it, of as many commands as it takes, under one deadline. Commands that
 * are still under way when it has passed go on to count as in flight, until they settle.
 */
import { NearcacheError, TierError } from "../errors.js";
import type { BreakerState } from "../tier.js";
import { Breaker } from "./breaker.js";
import { type Argument, type Client, Connection, NotConnectedError } from "./connection.js";
import { type Deadline, DeadlinePassed, Deadlines } from "./deadlines.js";
import type { KeyNames } from "./keys.js";
import { NodeBreakers, type Sending } from "./node-breakers.js";
import type { ResolvedTierOptions } from "./options.js";
import type { Script } from "./scripts.js";

/** What happened so far. */
export interface CallCounters {
  errors: number;
  timeouts: number;
  skipped: number;
}

/** A breaker has changed: the whole's, or that of one node of a Cluster. */
export interface BreakerChange {
  readonly from: BreakerState;
  readonly to: BreakerState;
  readonly node?: string;
}

/** What calls tell of. */
export interface CallListener {
  breakerChanged(change: BreakerChange): void;
  failed(operation: string, error: Error): void;
}

/** One operation under one deadline. */
export class Attempt {
  readonly deadline: Deadline;
  /** Commands under way at single nodes of a Cluster, and others. */
  readonly waiting = { atNodes: 0, elsewhere: 0 };
  readonly #calls: Calls;

  constructor(calls: Calls, deadline: Deadline) {
    this.#calls = calls;
    this.deadline = deadline;
  }

  command(name: string, args: readonly Argument[], node?: Client): Promise<unknown> {
    this.deadline.check();
    return this.#calls.send({ command: name, args, node }, this);
  }

  /** Runs a script by its digest, and sends its text where the server doesn't know it. */
  async script({ sha, text }: Script, keys: readonly string[], args: readonly Argument[] = []): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args];
    try {
      return await this.command("evalsha", [sha, ...rest]);
    } catch (error) {
      if (!isReply(error, "NOSCRIPT")) {
        throw error;
      }
      return this.command("eval", [text, ...rest]);
    }
  }
}

export class Calls {
  readonly connection: Connection;
  readonly counters: CallCounters = { errors: 0, timeouts: 0, skipped: 0 };
  readonly #breaker: Breaker;
  readonly #nodes: NodeBreakers;
  /** Errors that one node of a Cluster has to answer for, and not the whole. */
  readonly #ofNodes = new WeakSet<object>();
  readonly #deadlines: Deadlines;
  readonly #commandsMax: number;
  readonly #listener: CallListener;
  readonly #names: KeyNames;
  #inFlight = 0;
  #isClosed = false;
  readonly #running = new Set<Promise<unknown>>();

  constructor(options: ResolvedTierOptions, names: KeyNames, listener: CallListener) {
    this.#breaker = new Breaker(options.breaker, options.clock.now, (from, to) =>
      listener.breakerChanged({ from, to }),
    );
    this.#deadlines = new Deadlines(options.clock, options.commandTimeoutMs);
    this.#commandsMax = options.commandsMax;
    this.#listener = listener;
    this.#names = names;
    this.connection = new Connection(
      options,
      () => this.#expectRecovery(),
      (error) => listener.failed("connect", error),
    );
    this.#nodes = new NodeBreakers({
      connection: this.connection,
      stateName: names.version,
      settings: options.breaker,
      now: options.clock.now,
      isOutage,
      startDeadline: () => this.startDeadline(),
      onChange: (change) => listener.breakerChanged(change),
    });
  }

  get breakerState(): BreakerState {
    return this.#breaker.state;
  }

  /** The nodes of a Cluster whose breakers are not closed. */
  get brokenNodes(): string[] {
    return this.#nodes.broken;
  }

  /** Whether anything may be tried now. If not it is counted, and a probe is made where it is due. */
  admits(): boolean {
    if (this.#breaker.isClosed && !this.#isClosed) {
      return true;
    }
    this.counters.skipped++;
    this.#probeIfDue();
    return false;
  }

  startDeadline(): Deadline {
    return this.#deadlines.start();
  }

  /**
   * Runs an operation.
   * @throws {@link TierError} for whatever keeps it from being done.
   */
  async attempt<T>(operation: string, body: (attempt: Attempt) => Promise<T>, deadline?: Deadline): Promise<T> {
    if (!this.admits()) {
      throw new TierError("ERR_TIER", this.#whySkipped(operation), { operation });
    }
    const due = deadline ?? this.startDeadline();
    const attempt = new Attempt(this, due);
    const work = due.race(this.#begin(body, attempt));
    this.#running.add(work);
    try {
      const result = await work;
      this.#breaker.succeeded();
      return result;
    } catch (error) {
      throw this.#failed(operation, error, attempt);
    } finally {
      due.end();
      this.#running.delete(work);
    }
  }

  /** As an attempt's command, which it serves. */
  send(sending: Sending, { deadline, waiting }: Attempt): Promise<unknown> {
    const { command, args, node: client } = sending;
    const node = this.connection.isCluster ? this.#nodes.nodeOf(sending) : undefined;
    if (node !== undefined && !this.#nodes.admits(node, sending)) {
      return Promise.reject(new NodeSkippedError(node));
    }
    if (this.#inFlight >= this.#commandsMax) {
      const message = `${this.#inFlight} commands are waiting for their replies already (maxInFlight)`;
      return Promise.reject(new OverloadedError(message));
    }
    const where = node === undefined ? "elsewhere" : "atNodes";
    this.#inFlight++;
    waiting[where]++;
    const settled = (error?: unknown): void => {
      this.#inFlight--;
      waiting[where]--;
      if (node !== undefined && error instanceof Error) {
        this.#ofNodes.add(error);
      }
    };
    const reply = this.connection.send(command, args, client);
    reply.then(() => settled(), settled);
    if (node !== undefined) {
      this.#nodes.watch(node, reply, deadline);
    }
    return reply;
  }

  /** A command beside all operations, by a deadline of its own. It is not counted, nor is the breaker asked. */
  single(name: string, args: readonly Argument[]): Promise<unknown> {
    const deadline = this.startDeadline();
    return deadline.race(this.connection.send(name, args)).finally(() => deadline.end());
  }

  /** Redis has refused a part of an operation, which goes on without. */
  refused(operation: string, error: Error): void {
    this.counters.errors++;
    this.#listener.failed(operation, error);
  }

  /** Waits for what is under way, and lets go of the connection. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#running);
    this.connection.close();
  }

  async #begin<T>(body: (attempt: Attempt) => Promise<T>, attempt: Attempt): Promise<T> {
    const waits = this.connection.ready(attempt.deadline);
    if (waits !== undefined) {
      await waits;
    }
    return body(attempt);
  }

  #failed(operation: string, cause: unknown, attempt: Attempt): TierError {
    if (cause instanceof NodeSkippedError) {
      this.counters.skipped++;
      const message = `Redis was not asked to ${operation}: the circuit breaker of ${cause.node} is open`;
      return new TierError("ERR_TIER", message, { operation });
    }
    if (cause instanceof DeadlinePassed) {
      this.counters.timeouts++;
    }
    this.counters.errors++;
    if (isOutage(cause) && !this.#isOfNode(cause, attempt)) {
      this.#breaker.failed();
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `Redis could not ${operation}: ${reason}`;
    const error = cause instanceof TierError ? cause : new TierError("ERR_TIER", message, { operation, cause });
    this.#listener.failed(operation, error);
    return error;
  }

  /** Whether an outage is that of one node of a Cluster, whose breaker knows of it. */
  #isOfNode(cause: unknown, { waiting }: Attempt): boolean {
    if (cause instanceof DeadlinePassed) {
      return waiting.atNodes > 0 && waiting.elsewhere === 0;
    }
    return this.#ofNodes.has(cause as object);
  }

  #whySkipped(operation: string): string {
    return this.#isClosed
      ? `Redis was not asked to ${operation}: the tier is closed`
      : `Redis was not asked to ${operation}: the circuit breaker is ${this.#breaker.state}`;
  }

  #expectRecovery(): void {
    this.#breaker.expectRecovery();
    this.#probeIfDue();
  }

  /** Nobody waits for a probe: it goes beside what was refused. */
  #probeIfDue(): void {
    if (this.#isClosed || !this.#breaker.beginProbe()) {
      return;
    }
    const deadline = this.startDeadline();
    const probe = new Attempt(this, deadline);
    const work = this.#begin((attempt) => attempt.command("get", [this.#names.version]), probe);
    deadline
      .race(work)
      .then(
        () => this.#breaker.probed(true),
        () => this.#breaker.probed(false),
      )
      .finally(() => deadline.end());
  }
}

/** Too much is under way. No sign of an outage by itself. */
class OverloadedError extends Error {}

/** Not sent, as the breaker of the node is open. */
class NodeSkippedError extends Error {
  readonly node: string;

  constructor(node: string) {
    super(`the circuit breaker of ${node} is open`);
    this.node = node;
  }
}

/** What Redis replies while it is of no use, though it is there. */
const OUTAGES = ["LOADING", "CLUSTERDOWN", "MASTERDOWN", "BUSY", "NOAUTH", "WRONGPASS", "TRYAGAIN"];

/** Whether the next command would fail alike. A refusal of this command alone says nothing of the next. */
function isOutage(error: unknown): boolean {
  if (error instanceof NearcacheError || error instanceof OverloadedError || error instanceof NodeSkippedError) {
    return false;
  }
  if (error instanceof DeadlinePassed || error instanceof NotConnectedError) {
    return true;
  }
  return !isReply(error) || OUTAGES.some((code) => isReply(error, code));
}

/** Whether a single command has surely not been done: it was not sent, or Redis has refused it. */
export function isRefusal(error: unknown): boolean {
  const wasNotSent =
    error instanceof NotConnectedError || error instanceof OverloadedError || error instanceof NodeSkippedError;
  return wasNotSent || isReply(error);
}

/** Whether Redis answered with an error, or with one of this code. */
export function isReply(error: unknown, code = ""): boolean {
  return error instanceof Error && error.name === "ReplyError" && error.message.startsWith(code);
}
