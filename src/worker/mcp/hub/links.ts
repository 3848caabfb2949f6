import type { Clock } from "../../../system/deps.ts";
import { type ChooseDialect, type LinkEvents, MemberLink } from "./link.ts";
import type { Member } from "./member.ts";

export interface LinksOptions extends Omit<LinkEvents, "onOpened" | "onLost"> {
  readonly members: readonly Member[];
  readonly chooseDialect: ChooseDialect;
  readonly clock: Clock;
  /** Called when a server has been opened; `isBack` if it could not be opened before. */
  readonly onOpened: (link: MemberLink, isBack: boolean) => void;
  readonly onLost: (link: MemberLink) => void;
}

/** One session's connections with all servers. A server that could not be opened is tried again while the session lasts. */
export class Links {
  readonly #byMember: ReadonlyMap<Member, MemberLink>;
  readonly #options: LinksOptions;
  /** The servers that could not be opened, with what cancels their next attempt. */
  readonly #failed = new Map<MemberLink, () => void>();

  constructor(options: LinksOptions) {
    this.#options = options;
    const events: LinkEvents = {
      onNotification: options.onNotification,
      onRequest: options.onRequest,
      onOpened: (link) => this.#handleOpened(link),
      onLost: (link) => this.#handleLost(link),
    };
    this.#byMember = new Map(
      options.members.map((member) => [member, new MemberLink(member, options.chooseDialect, events)]),
    );
  }

  get all(): readonly MemberLink[] {
    return [...this.#byMember.values()];
  }

  of(member: Member): MemberLink {
    const link = this.#byMember.get(member);
    if (!link) throw new Error("the server is not one of this hub");
    return link;
  }

  /** Says that the client has finished its handshake. */
  ready(): void {
    for (const link of this.all) link.ready();
  }

  async close(): Promise<void> {
    for (const cancel of this.#failed.values()) cancel();
    this.#failed.clear();
    await Promise.all(this.all.map((link) => link.close()));
  }

  #handleOpened(link: MemberLink): void {
    const cancel = this.#failed.get(link);
    cancel?.();
    this.#failed.delete(link);
    this.#options.onOpened(link, cancel !== undefined);
  }

  #handleLost(link: MemberLink): void {
    // A server that was open is opened again by the next request.
    if (link.member.refusal !== undefined) {
      this.#failed.get(link)?.();
      this.#failed.set(
        link,
        this.#options.clock.after(link.member.pauseMs, () => link.open()),
      );
    }
    this.#options.onLost(link);
  }
}
