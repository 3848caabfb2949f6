import { expect, test } from "bun:test";
import { createOAuthRows } from "../../../src/store/oauth-rows.ts";
import { openStore } from "../../../src/store/store.ts";
import { silentLog } from "../../../src/system/log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { OAuthRig } from "../../support/oauth-rig.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

test("clients and grants outlive a restart of the server, and those that were removed stay away", async () => {
  const directory = temporaryDirectory();
  const clock = new FakeClock();
  const open = () => openStore(directory.path, { clock, log: silentLog });

  const first = open();
  const before = new OAuthRig({ keep: createOAuthRows(first) }, clock);
  const kept = await before.signIn();
  const gone = await before.signIn();
  const granted = await before.verify(gone.tokens.access_token);
  await before.verify(kept.tokens.access_token);
  await before.oauth.grants.revoke(granted?.grantId ?? "");
  before.oauth.close();
  first.close();

  const second = open();
  const after = new OAuthRig({ keep: createOAuthRows(second) }, clock);
  expect(await after.verify(kept.tokens.access_token)).toMatchObject({ clientName: "Test client" });
  expect((await after.refresh(kept.clientId, kept.tokens.refresh_token)).status).toBe(200);
  expect(await after.verify(gone.tokens.access_token)).toBeUndefined();
  expect(after.oauth.grants.list().map(({ lastUsedAt }) => lastUsedAt)).toEqual([clock.now()]);

  // What has expired goes by itself.
  await after.oauth.table.put({ name: "client:x", value: "{}", expiresAt: clock.now() + 1000 }, undefined);
  const names = (): readonly string[] =>
    createOAuthRows(second)
      .load()
      .map(({ name }) => name);
  expect(names()).toContain("client:x");
  clock.advance(60_000);
  expect(names()).not.toContain("client:x");
  after.oauth.close();
  second.close();
  directory.remove();
});
