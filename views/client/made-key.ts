import { assertOk } from "./answers.ts";

/** A key that was just made. Its text is nowhere else. */
export interface MadeKey {
  readonly id: string;
  readonly text: string;
}

/** Makes a key. `spec` is what `POST /api/keys` takes. */
export async function makeKey(spec: Readonly<Record<string, unknown>>): Promise<MadeKey> {
  const response = await fetch("/api/keys", {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": requestName() },
    body: JSON.stringify(spec),
  });
  const { id, key } = (await (await assertOk(response)).json()) as { readonly id: string; readonly key: string }; // the server's own
  return { id, text: key };
}

/** Revokes a key. It works while the page is being left, and what fails then ends with the key's time. */
export function revokeKey(id: string): void {
  void fetch(`/api/keys/${encodeURIComponent(id)}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

/** A name for one request. Pages without TLS have no `randomUUID`. */
function requestName(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
