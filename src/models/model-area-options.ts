import type { SecretFor } from "../auth/secrets.ts";
import type { Config } from "../config.ts";
import type { Metrics } from "../figures/metrics.ts";
import type { ClusterPorts } from "../plugin/cluster.ts";
import type { EndedRequests } from "../plugin/ended-requests.ts";
import type { RestrictionRecords } from "../plugin/restrictions.ts";
import type { Charges } from "../pool/charge.ts";
import type { Deps } from "../system/deps.ts";
import type { AnswerSpool } from "../tunnel/overflow.ts";
import type { SessionSource } from "../tunnel/session-source.ts";

/** What an area is made of. */
export interface ModelAreaOptions {
  readonly pluginId: string;
  readonly config: Config;
  readonly deps: Deps;
  readonly metrics: Metrics;
  readonly sessions: SessionSource;
  /** Restrictions are kept in memory alone unless given. */
  readonly restrictionRecords?: ((pluginId: string) => RestrictionRecords) | undefined;
  /** Takes note of the requests that have ended; undefined where nobody counts them. */
  readonly endedRequests?: EndedRequests | undefined;
  /** Opens what requests take from the limits of their keys; undefined where no key has limits. */
  readonly charges?: Charges | undefined;
  /** The other servers; undefined for a server without a cluster. */
  readonly cluster?: ClusterPorts | undefined;
  /** Secrets are random and last as long as the process, unless this is given. */
  readonly secretFor?: SecretFor | undefined;
  readonly version: string;
  /** Creates the place on disk for what slow clients of legacy workers have not taken. */
  readonly createSpool?: () => AnswerSpool;
  /** The type of models whose workers name none: `transcription`. */
  readonly modelType?: string | undefined;
}
