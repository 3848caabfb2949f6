import type { Config } from "../config.ts";
import type { Metrics } from "../figures/metrics.ts";
import type { AnswerSpool } from "../tunnel/overflow.ts";
import { Spool } from "../upload/spool.ts";
import { SpoolSpace } from "../upload/spool-space.ts";

/** Returns the disk space that uploads of all plugins share. The space and its gauges are made at the first call. */
export function createSharedSpool(
  config: Pick<Config, "spoolDirectory" | "spoolBytes">,
  metrics: Metrics,
): () => SpoolSpace {
  let shared: SpoolSpace | undefined;
  return () => {
    shared ??= openSpool(config, metrics);
    return shared;
  };
}

/** Creates a place in the shared space for a part of an answer. */
export function createAnswerSpool(space: SpoolSpace): AnswerSpool {
  return new Spool(space);
}

function openSpool(
  { spoolDirectory, spoolBytes }: Pick<Config, "spoolDirectory" | "spoolBytes">,
  metrics: Metrics,
): SpoolSpace {
  const space = new SpoolSpace(spoolDirectory, spoolBytes);
  metrics.gauge("moorage_spool_bytes", "Bytes of uploads and of answers that are held on disk.", [], () => [
    { labels: {}, value: space.used },
  ]);
  metrics.gauge("moorage_spool_limit_bytes", "Bytes that may be held on disk.", [], () => [
    { labels: {}, value: spoolBytes },
  ]);
  return space;
}
