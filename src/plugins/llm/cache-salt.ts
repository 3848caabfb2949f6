import { type Caller, DEFAULT_TENANT } from "../../auth/caller.ts";
import { membersOf } from "../../json/scan.ts";
import type { Claim } from "../../pool/claim.ts";

const SALT = "cache_salt";
const OPEN_OBJECT = 0x7b;
const decoder = new TextDecoder();

/**
 * Keeps tenants apart in the prompt caches of vLLM. A caller who shares such a cache can find out by timing whether another's
 * prompt began with a certain text. vLLM shares cached blocks only between requests of one `cache_salt`, so each tenant but
 * the default one gets a salt that nobody can guess. All routes are salted: vLLM ignores the field where it does not read it.
 */
export class CacheSalts {
  readonly #secret: () => string;

  /** A new secret means that the caches of these tenants fill again. */
  constructor(secret: () => string) {
    this.#secret = secret;
  }

  /** Returns the JSON of a request to a worker: salted, if the tenant needs a salt and the worker's backend reads it. */
  salted(body: Uint8Array, { tenant }: Pick<Caller, "tenant">, { hostInfo }: Pick<Claim, "hostInfo">): Uint8Array {
    if (tenant === DEFAULT_TENANT || !readsSalts(hostInfo)) return body;
    const own = membersOf(body)?.get(SALT);
    if (own) {
      // A client's salt keeps its requests apart from others of its tenant, and never lets it into another tenant's cache.
      const salt = this.#saltOf(tenant, decoder.decode(body.subarray(own.start, own.end)));
      return Buffer.concat([body.subarray(0, own.start), Buffer.from(`"${salt}"`), body.subarray(own.end)]);
    }
    const at = body.indexOf(OPEN_OBJECT) + 1;
    const member = Buffer.from(`"${SALT}":"${this.#saltOf(tenant, "")}",`);
    return Buffer.concat([body.subarray(0, at), member, body.subarray(at)]);
  }

  /** Returns 43 characters, which is the length that vLLM recommends. */
  #saltOf(tenant: string, own: string): string {
    const hmac = new Bun.CryptoHasher("sha256", this.#secret());
    return hmac.update(JSON.stringify([tenant, own])).digest("base64url");
  }
}

/**
 * Whether a worker's backend is a vLLM that takes salts. Versions before 0.11 may run their older engine, which refuses
 * requests with a salt. A version that cannot be read is taken for a newer one.
 */
function readsSalts({ backend_family, backend_version = "" }: Claim["hostInfo"]): boolean {
  if (backend_family !== "vllm") return false;
  const [, major, minor] = /^v?(\d{1,5})\.(\d{1,5})/.exec(backend_version) ?? [];
  return major === undefined || Number(major) > 0 || Number(minor) >= 11;
}
