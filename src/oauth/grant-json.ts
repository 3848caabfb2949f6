import { cleanText } from "../wire/clean-text.ts";
import type { GrantView } from "./grant-view.ts";
import type { GrantFacts } from "./grants.ts";

/** Returns what people may see of a grant. `nameOfKey` returns the name of a created key; undefined for one that is gone. */
export function grantJson(grant: GrantFacts, nameOfKey: (keyId: string) => string | undefined): GrantView {
  const { id, client, relay, resource, holder, createdAt, lastUsedAt, expiresAt } = grant;
  const keyId = holder.kind === "key" ? holder.keyId : undefined;
  const name = (keyId === undefined ? undefined : nameOfKey(keyId)) ?? holder.name;
  return {
    id,
    client: {
      id: cleanText(client.id),
      name: cleanText(client.name),
      redirect_host: client.redirectHost === undefined ? null : cleanText(client.redirectHost),
    },
    relay,
    resource,
    holder: { kind: holder.kind, name: cleanText(name), key_id: keyId ?? null },
    created_at: timeText(createdAt),
    last_used_at: lastUsedAt === undefined ? null : timeText(lastUsedAt),
    expires_at: expiresAt === undefined ? null : timeText(expiresAt),
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
