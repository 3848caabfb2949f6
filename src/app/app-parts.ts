import type { IdentityProvider } from "../auth/identity-provider.ts";
import type { KeySources } from "../auth/keys.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Pack } from "../join/package.ts";
import type { OpenedKeys } from "../keys/open-keys.ts";
import type { PluginDefinition } from "../plugin/definition.ts";
import type { Records } from "./records.ts";

/** What a server may be given beside its configuration. A server without any of it keeps nothing and is the only one. */
export interface AppParts {
  /** The plugins that the configuration was loaded with. Absent: all that this repository has. */
  readonly known?: readonly PluginDefinition[] | undefined;
  /** Looked up in place of the keys that the configuration lists. */
  readonly configuredKeys?: KeySources | undefined;
  /** The keys beside those of the configuration. */
  readonly keys?: OpenedKeys | undefined;
  /** Absent: nothing is kept over a restart. */
  readonly records?: Records | undefined;
  /** Absent: this server is the only one. The caller that started the cluster closes it after the app. */
  readonly cluster?: AppCluster | undefined;
  /** The issuer through which operators sign in. */
  readonly identity?: IdentityProvider | undefined;
  /** Makes the package that machines get at `/join`. Absent: the server hands out none. */
  readonly pack?: Pack | undefined;
}

/** What the server uses of its cluster. */
export type AppCluster = Pick<
  Cluster,
  "ports" | "sights" | "limits" | "keyUses" | "judgeOwners" | "takeKeys" | "takeKeysFile" | "watch" | "drain" | "close"
> &
  Partial<Pick<Cluster, "oauth">>;
