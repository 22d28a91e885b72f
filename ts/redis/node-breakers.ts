/**
 * The breakers of a Cluster's nodes. A node that hangs fails what is for its slots only, while the others answer, so the
 * breaker of the whole would never see enough failures in a row.
 *
 * Each command is told to the node that has its slot now: after a failover the slot is another node's, and is tried
 * again. The node that has the version and the tag clock is no business of this file: without them nothing goes, so its
 * failures are those of the whole. Elsewhere than in a Cluster there is nothing to tell apart.
 */
import { Breaker, type BreakerSettings } from "./breaker.js";
import type { Argument, Client, Connection } from "./connection.js";
import type { Deadline } from "./deadlines.js";

/** A command, as far as it matters where it goes. */
export interface Sending {
  readonly command: string;
  readonly args: readonly Argument[];
  /** The client of a node where the command is for this one, whatever its keys. */
  readonly node: Client | undefined;
}

/** What the breakers of the nodes need. */
export interface NodeBreakerOwner {
  readonly connection: Connection;
  /** The name of what the whole depends on. */
  readonly stateName: string;
  readonly settings: BreakerSettings;
  readonly now: () => number;
  /** Whether an error says that the node is of no use. */
  readonly isOutage: (error: unknown) => boolean;
  readonly startDeadline: () => Deadline;
  readonly onChange: (change: { from: Breaker["state"]; to: Breaker["state"]; node: string }) => void;
}

export class NodeBreakers {
  readonly #owner: NodeBreakerOwner;
  /** Of nodes that have failed of late. */
  readonly #breakers = new Map<string, Breaker>();

  constructor(owner: NodeBreakerOwner) {
    this.#owner = owner;
  }

  /** Those that are not asked now. */
  get broken(): string[] {
    return [...this.#breakers].flatMap(([node, { isClosed }]) => (isClosed ? [] : [node]));
  }

  /** Which node a command goes to; undefined where its outcome says something of the whole. */
  nodeOf({ command, args, node }: Sending): string | undefined {
    const { connection, stateName } = this.#owner;
    const stateNode = connection.nodeOf(stateName);
    const name = node === undefined ? connection.nodeOf(keyOf(command, args)) : connection.nameOf(node);
    return name === stateNode ? undefined : name;
  }

  /** Whether a node may be asked. If not, a probe is made where it is due. */
  admits(node: string, sending: Sending): boolean {
    const breaker = this.#breakers.get(node);
    if (breaker === undefined || breaker.isClosed) {
      return true;
    }
    if (breaker.beginProbe()) {
      this.#probe(breaker, sending);
    }
    return false;
  }

  /** Tells a node's breaker the outcome of a command that was sent to it, or that there was none by the deadline. */
  watch(node: string, reply: Promise<unknown>, deadline: Deadline): void {
    let isOpen = true;
    const settle = (isGood: boolean): void => {
      if (isOpen) {
        isOpen = false;
        isGood ? this.#breakers.get(node)?.succeeded() : this.#failed(node);
      }
    };
    deadline.onEnd(() => {
      if (deadline.isPassed) {
        settle(false);
      }
    });
    reply.then(
      () => settle(true),
      (error: unknown) => settle(!this.#owner.isOutage(error)),
    );
  }

  #failed(node: string): void {
    let breaker = this.#breakers.get(node);
    if (breaker === undefined) {
      const { settings, now, onChange } = this.#owner;
      this.#forgetGone();
      breaker = new Breaker(settings, now, (from, to) => onChange({ from, to, node }));
      this.#breakers.set(node, breaker);
    }
    breaker.failed();
  }

  /** Nodes that have left the Cluster, or lost all their slots to a replica. */
  #forgetGone(): void {
    const known = this.#owner.connection.masterNames();
    for (const node of this.#breakers.keys()) {
      if (!known.has(node)) {
        this.#breakers.delete(node);
      }
    }
  }

  /** Asks for the key that could not be had, so the probe goes where the next command would. Nobody waits for it. */
  #probe(breaker: Breaker, { command, args, node }: Sending): void {
    const { connection, startDeadline } = this.#owner;
    const deadline = startDeadline();
    const asked =
      node === undefined ? connection.send("exists", [keyOf(command, args)]) : connection.send("ping", [], node);
    deadline
      .race(asked)
      .then(
        () => breaker.probed(true),
        () => breaker.probed(false),
      )
      .finally(() => deadline.end());
  }
}

/** The first key of a command; its others are in the same slot. */
function keyOf(command: string, args: readonly Argument[]): string {
  const isScript = command === "evalsha" || command === "eval";
  return String(isScript ? args[2] : args[0]);
}
