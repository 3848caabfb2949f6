import type { Link, LinkState, PeerLinks } from "../../src/cluster/links/link.ts";
import type { Clock } from "../../src/system/deps.ts";
import type { Session } from "../../src/tunnel/session.ts";
import { ScriptedSession } from "./scripted-session.ts";

/** Links between servers of one process, which a test opens and breaks. Messages arrive when the clock moves. */
export class LinkNetwork {
  readonly #clock: Clock;
  readonly #ends = new Map<string, RigLinks>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Adds the links of a server; those of an earlier run of it are broken. */
  join(id: string): RigLinks {
    for (const other of this.#ends.keys()) this.set(id, other, "connecting");
    const links = new RigLinks(id, (to, topic, text) =>
      this.#clock.after(1, () => {
        const end = this.#ends.get(to);
        if (end?.linkTo(id).state === "direct") end.receive(id, topic, text);
      }),
    );
    this.#ends.set(id, links);
    return links;
  }

  /** Changes the state of the link between two servers, at both ends. */
  set(a: string, b: string, state: LinkState): void {
    this.#ends.get(a)?.set(b, state);
    this.#ends.get(b)?.set(a, state);
  }

  /** Opens all links. */
  connect(): void {
    const ids = [...this.#ends.keys()];
    for (const [at, a] of ids.entries()) for (const b of ids.slice(at + 1)) this.set(a, b, "direct");
  }
}

/** The links of one server. */
export class RigLinks implements PeerLinks {
  /** All messages that this server has sent over links. */
  readonly sent: string[] = [];
  readonly #id: string;
  readonly #send: (to: string, topic: string, text: string) => void;
  readonly #links = new Map<string, RigLink>();
  readonly #handlers = new Map<string, (peerId: string, text: string) => void>();
  readonly #listeners: ((link: Link) => void)[] = [];

  constructor(id: string, send: (to: string, topic: string, text: string) => void) {
    this.#id = id;
    this.#send = send;
  }

  linkTo(peerId: string): RigLink {
    const known = this.#links.get(peerId);
    if (known) return known;
    const link = new RigLink(peerId, (topic, text) => {
      this.sent.push(text);
      this.#send(peerId, topic, text);
    });
    this.#links.set(peerId, link);
    return link;
  }

  onTell(topic: string, handler: (peerId: string, text: string) => void): void {
    this.#handlers.set(topic, handler);
  }

  onChange(listener: (link: Link) => void): void {
    this.#listeners.push(listener);
  }

  receive(from: string, topic: string, text: string): void {
    this.#handlers.get(topic)?.(from, text);
  }

  set(peerId: string, state: LinkState): void {
    if (peerId === this.#id) return;
    const link = this.linkTo(peerId);
    if (link.state === state) return;
    link.state = state;
    for (const listener of this.#listeners) listener(link);
  }
}

class RigLink implements Link {
  readonly peerId: string;
  state: LinkState = "connecting";
  readonly rttMs = 1;
  readonly dialled = undefined;
  readonly dialError = undefined;
  readonly traffic = { bytesIn: 0, bytesOut: 0 };
  readonly #session: Session;
  readonly #send: (topic: string, text: string) => void;

  constructor(peerId: string, send: (topic: string, text: string) => void) {
    this.peerId = peerId;
    this.#send = send;
    this.#session = new ScriptedSession(peerId, [], 0);
  }

  get session(): Session | undefined {
    return this.state === "direct" ? this.#session : undefined;
  }

  tell(topic: string, text: string): boolean {
    if (this.state !== "direct") return false;
    this.#send(topic, text);
    return true;
  }
}
