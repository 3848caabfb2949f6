import type { KeysElsewhere, KeyUses, PeerHolding, SpentElsewhere } from "../../limits/elsewhere.ts";
import type { LimitName } from "../../limits/limit-names.ts";
import type { Clock } from "../../system/deps.ts";
import type { Tells } from "../tells.ts";
import { KeyHoldings } from "./key-holdings.ts";
import { KeySpending } from "./key-spending.ts";

/** Keeps the limits of keys over all servers: tells peers what keys hold and use here, and knows what they do there. */
export class SharedKeyUses implements KeysElsewhere {
  readonly serverId: string;
  readonly #tells: Tells;
  readonly #holdings: KeyHoldings;
  readonly #spending: KeySpending;
  #own: KeyUses | undefined;

  constructor(clock: Clock, tells: Tells, self: { readonly id: string; readonly epoch: string }) {
    const onChange = (keyId: string): void => this.#own?.onChange(keyId);
    this.serverId = self.id;
    this.#tells = tells;
    this.#holdings = new KeyHoldings({ clock, tells, onChange, own: (keyId) => this.#own?.holding(keyId) });
    this.#spending = new KeySpending({
      self,
      clock,
      tells,
      onChange,
      ids: () => this.#own?.ids() ?? [],
      own: (keyId) => this.#own?.spent(keyId) ?? [],
    });
  }

  tell(uses: KeyUses): void {
    this.#own = uses;
    for (const peer of this.#tells.peers()) this.#spending.tellAll(peer);
  }

  changed(keyId: string): void {
    this.#holdings.changed(keyId);
    this.#spending.changed(keyId);
  }

  holdings(keyId: string): readonly PeerHolding[] {
    return this.#holdings.of(keyId);
  }

  spent(keyId: string, budget: LimitName, startsAt: number): SpentElsewhere {
    return this.#spending.of(keyId, budget, startsAt);
  }

  close(): void {
    this.#holdings.close();
    this.#spending.close();
  }
}
