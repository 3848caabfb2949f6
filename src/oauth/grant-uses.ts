import type { Clock } from "../system/deps.ts";
import { setNewest } from "../system/newest.ts";
import type { GrantRecord } from "./grant-record.ts";
import type { OAuthTable } from "./oauth-table.ts";
import { MOST, makeRoom } from "./room.ts";

/** How often the use of a grant is written. In between, only this server knows of it. */
const WRITTEN_EVERY_MS = 5 * 60_000;

/** When grants were last used. */
export class GrantUses {
  readonly #table: OAuthTable;
  readonly #clock: Pick<Clock, "now">;
  readonly #lifeMs: number;
  readonly #here = new Map<string, number>();

  /** `lifeMs`: how long a grant lasts that is not used. */
  constructor(table: OAuthTable, clock: Pick<Clock, "now">, lifeMs: number) {
    this.#table = table;
    this.#clock = clock;
    this.#lifeMs = lifeMs;
    table.onRemoved(({ name }) => {
      if (name.startsWith("grant:")) this.#here.delete(name.slice(name.lastIndexOf(":") + 1));
    });
  }

  /** Notes that a grant was used now. */
  note({ id: grantId, userId }: Pick<GrantRecord, "id" | "userId">): void {
    const now = this.#clock.now();
    setNewest(this.#here, grantId, now, MOST.grant);
    const name = `used:${userId}:${grantId}`;
    const before = this.#table.get(name)?.value;
    if (before !== undefined && now - Number(before) < WRITTEN_EVERY_MS) return;
    if (before === undefined && !makeRoom(this.#table, name)) return;
    // Another server may be first, and nothing depends on minutes.
    void this.#table.put({ name, value: String(now), expiresAt: now + this.#lifeMs }, before);
  }

  /** Milliseconds since 1970; undefined if this server knows of no use of the grant. */
  lastUsedAt({ id: grantId, userId }: Pick<GrantRecord, "id" | "userId">): number | undefined {
    const written = this.#table.get(`used:${userId}:${grantId}`)?.value;
    const times = [this.#here.get(grantId), written === undefined ? undefined : Number(written)];
    const known = times.filter((time) => time !== undefined && Number.isFinite(time));
    return known.length === 0 ? undefined : Math.max(...known.map(Number));
  }
}
