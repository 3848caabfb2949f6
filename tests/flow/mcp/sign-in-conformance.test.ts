import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { runAuthorization } from "../../../scripts/conformance/authorization.ts";
import { type ConnectorRig, startConnectorRig } from "../../support/connector-rig.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

let rig: ConnectorRig;
beforeAll(async () => {
  rig = await startConnectorRig();
});
afterAll(() => rig.stop());

test.each(["2025-11-25", "2026-07-28"])(
  "the official suite passes the server as the authorization server of a relay, revision %s",
  async (revision) => {
    const made = temporaryDirectory();
    try {
      const { scenarios, isWhole, said } = await runAuthorization({
        issuer: rig.server.url,
        resource: rig.url.href,
        key: rig.key,
        revision,
        output: join(made.path, "results"),
      });
      expect({ isWhole, said: isWhole ? "" : said }).toEqual({ isWhole: true, said: "" });
      expect([...scenarios.values()].flatMap((checks) => [...checks.values()])).toEqual([
        "SUCCESS",
        "SUCCESS",
        "SUCCESS",
      ]);
    } finally {
      made.remove();
    }
  },
  60_000,
);
