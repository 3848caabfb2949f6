import { afterEach, describe, expect, setSystemTime, test } from "bun:test";
import type { Holder } from "../../src/oauth/connector.ts";
import type { OAuthOptions } from "../../src/oauth/oauth.ts";
import type { OAuthKeep, OAuthRow } from "../../src/oauth/oauth-records.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { ANN, KEY, OAuthRig } from "../support/oauth-rig.ts";

const ISSUER = "oidc-caller:first";
const USER: Holder = { kind: "oidc", issuer: ISSUER, subject: "u1", name: "oidc:ada@example.com" };
const DAY_MS = 24 * 60 * 60_000;

/** The library that speaks OAuth reads the time of the system. */
const follow = (clock: FakeClock): unknown => setSystemTime(new Date(clock.now()));
afterEach(() => void setSystemTime());

/** Keeps records for the next server. */
class Kept implements OAuthKeep {
  readonly rows = new Map<string, OAuthRow>();
  load = (): readonly OAuthRow[] => [...this.rows.values()];
  save = (row: OAuthRow): void => void this.rows.set(row.name, row);
  remove = (name: string): void => void this.rows.delete(name);
}

function start(
  holder: Holder,
  settings: Partial<OAuthOptions> = {},
  { keep = new Kept(), clock = new FakeClock() } = {},
) {
  follow(clock);
  const rig = new OAuthRig({ keep, issuer: ISSUER, ...settings }, clock);
  rig.keys.set(KEY, holder);
  return { rig, keep, clock };
}

describe("what a user of the issuer has let in", () => {
  const cases: readonly [
    string,
    { readonly issuer?: string | undefined; readonly change?: (row: string) => string },
  ][] = [
    ["other settings of the issuer", { issuer: "oidc-caller:second" }],
    ["no issuer", { issuer: undefined }],
    ["a record that names no issuer", { change: (row) => row.replace(`"issuer":"${ISSUER}",`, "") }],
  ];
  test.each(cases)("ends at a restart with %s", async (_what, { change, ...settings }) => {
    const { rig, keep, clock } = start(USER);
    const { clientId, tokens } = await rig.signIn();
    expect(await rig.verify(tokens.access_token)).toMatchObject({ holder: USER });
    for (const row of keep.load()) {
      const value = change?.(row.value) ?? row.value;
      if (change && row.name.startsWith("grant:")) expect(value).not.toBe(row.value);
      keep.save({ ...row, value });
    }
    const { rig: next } = start(USER, settings, { keep, clock });
    expect(await next.verify(tokens.access_token)).toBeUndefined();
    const refreshed = await next.refresh(clientId, tokens.refresh_token);
    expect([refreshed.status, await refreshed.json()]).toMatchObject([400, { error: "invalid_grant" }]);
    expect(next.oauth.grants.list()).toEqual([]);
  });

  test("stays over a restart with the same settings", async () => {
    const { rig, keep, clock } = start(USER);
    const { clientId, tokens } = await rig.signIn();
    const { rig: next } = start(USER, {}, { keep, clock });
    expect(await next.verify(tokens.access_token)).toMatchObject({ holder: USER });
    expect((await next.refresh(clientId, tokens.refresh_token)).status).toBe(200);
  });

  test.each([
    ["ends", USER, false],
    ["stays, if a key has let it in,", ANN, true],
  ])("%s at its age, however much it is used", async (_what, holder, stays) => {
    const { rig, clock } = start(holder);
    const { clientId, tokens } = await rig.signIn();
    const begin = clock.now();
    let { access_token: access, refresh_token: refresh } = tokens;
    const ahead = [10 * DAY_MS, 10 * DAY_MS, 10 * DAY_MS - 60_000];
    for (const ms of ahead) {
      clock.advance(ms);
      follow(clock);
      const answer = await rig.refresh(clientId, refresh);
      expect(answer.status).toBe(200);
      ({ access_token: access, refresh_token: refresh } = (await answer.json()) as typeof tokens); // RFC 6749
    }
    expect(await rig.verify(access)).toBeDefined();
    const [grant] = rig.oauth.grants.list();
    if (!stays) expect(Math.abs((grant?.expiresAt ?? 0) - begin - 30 * DAY_MS)).toBeLessThan(1000);
    clock.advance(60_000);
    follow(clock);
    expect((await rig.verify(access)) !== undefined).toBe(stays);
    expect((await rig.refresh(clientId, refresh)).status).toBe(stays ? 200 : 400);
    expect(rig.oauth.grants.list()).toHaveLength(stays ? 1 : 0);
  });
});
