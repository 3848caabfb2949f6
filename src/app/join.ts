import type { AnyElysia } from "elysia";
import { createProxies } from "../auth/addresses.ts";
import type { Auth } from "../auth/auth.ts";
import type { Config } from "../config.ts";
import type { WorkerNeeds } from "../join/facts.ts";
import { JOIN_KINDS } from "../join/lines.ts";
import { type Pack, PackageDesk } from "../join/package.ts";
import { joinRoutes } from "../join/routes.ts";
import type { Plugin } from "../plugin/contract.ts";
import type { Assets } from "../state/assets.ts";
import { page } from "../state/page.ts";
import type { Deps } from "../system/deps.ts";
import { VERSION } from "../system/version.ts";

export interface JoinParts {
  readonly config: Config;
  readonly deps: Deps;
  readonly auth: Pick<Auth, "isWorkerOpen">;
  readonly plugins: readonly Plugin[];
  /** Whether operators can make join tokens. */
  readonly makesTokens: boolean;
  readonly assets: () => Assets;
  /** Undefined for a server that hands out no package. */
  readonly pack: Pack | undefined;
}

/** Creates the routes by which machines get this server's own worker. */
export function createJoin({
  config,
  deps,
  auth,
  plugins,
  makesTokens,
  assets,
  pack = noPackage,
}: JoinParts): AnyElysia {
  const needs = (): WorkerNeeds => (auth.isWorkerOpen ? "nothing" : makesTokens ? "join_token" : "client_key");
  return joinRoutes({
    version: VERSION,
    publicUrl: config.publicUrl,
    proxies: createProxies(config.trustedProxies),
    kinds: JOIN_KINDS.filter((kind) => plugins.some(({ id }) => id === kind)),
    needs,
    desk: new PackageDesk({ ...deps, pack }),
    assets: () => assets().page,
    page,
  });
}

const noPackage: Pack = () => Promise.reject(new Error("this build of the server contains no package"));
