import { randomBytes } from "node:crypto";
import type { SharedSecret } from "../auth/token-keys.ts";
import type { Store } from "./store.ts";

const SECRET_BYTES = 32;

/** Returns the secret of this store, and creates it on the first call. */
export function createSecretRow({ db, writes }: Store): SharedSecret {
  const find = db.prepare<{ readonly value: string }, []>("SELECT value FROM secret WHERE name = 'tokens'");
  const save = db.prepare<void, [string]>("INSERT INTO secret (name, value) VALUES ('tokens', ?)");
  let secret: string | undefined;
  const make = (): string => {
    const made = randomBytes(SECRET_BYTES).toString("base64url");
    writes.write("secret tokens", () => save.run(made));
    writes.flush();
    return made;
  };
  return {
    current() {
      secret ??= find.get()?.value ?? make();
      return secret;
    },
  };
}
