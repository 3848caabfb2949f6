/** A server whose two keys have the weights of its arguments. Weights are a property of keys that no setting has yet. */
import { createCaller } from "../../src/auth/caller.ts";
import { configuredKeys, type KeySource, sha256 } from "../../src/auth/keys.ts";
import { ownerName } from "../../src/auth/owner-name.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { TestServer } from "../../tests/support/test-server.ts";
import { CLIENT_KEY } from "../moorage.ts";
import { KEYS } from "./subject.ts";

const [weightOfA, weightOfB] = process.argv.slice(2).map(Number);

const records = new Map(
  [
    [KEYS.a, weightOfA],
    [KEYS.b, weightOfB],
  ].map(([key, weight]) => {
    const name = String(key);
    return [sha256(name), { ...createCaller(name), weight: Number(weight), owner: ownerName(name, "moorage") }];
  }),
);
const weighted: KeySource = { isEmpty: false, find: (hash) => records.get(hash), hasOwner: () => false };

const server = new TestServer({ clientKeys: [CLIENT_KEY] }, {}, KNOWN_PLUGINS, (config) => ({
  ...configuredKeys(config),
  api: weighted,
}));

process.send?.({ url: server.url });
process.on("disconnect", () => process.exit(0));
