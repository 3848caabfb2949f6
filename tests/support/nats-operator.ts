import { createHash } from "node:crypto";
import { nkeys } from "@nats-io/transport-node";

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** An account of NATS in which users sign in with credentials files, as hosted NATS services issue them. */
export interface NatsAccount {
  /** The text of nats-server's configuration. */
  readonly config: string;
  /** The text of one user's credentials file. */
  readonly credentials: string;
}

/** Creates an operator, an account and a user, whose keys sign each other's claims. */
export function createNatsAccount(): NatsAccount {
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
  const operatorClaims = signed(operator, operator, "test operator", { type: "operator" });
  const limits = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, conn: -1, leaf: -1 };
  const accountClaims = signed(account, operator, "test account", { type: "account", limits });
  const userClaims = signed(user, account, "test user", { type: "user", subs: -1, data: -1, payload: -1 });
  const seed = new TextDecoder().decode(user.getSeed());
  return {
    config: `operator: ${operatorClaims}
resolver: MEMORY
resolver_preload: { ${account.getPublicKey()}: ${accountClaims} }
`,
    credentials: `-----BEGIN NATS USER JWT-----
${userClaims}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`,
  };
}

/** Writes claims as NATS reads them: a JWT whose id is a hash of the rest, signed with an NKEY. */
function signed(subject: KeyPair, issuer: KeyPair, name: string, nats: object): string {
  const claims = {
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name,
    nats: { ...nats, version: 2 },
  };
  const jti = createHash("sha256").update(JSON.stringify(claims)).digest("hex");
  const text = [
    { typ: "JWT", alg: "ed25519-nkey" },
    { ...claims, jti },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${text}.${Buffer.from(issuer.sign(new TextEncoder().encode(text))).toString("base64url")}`;
}
