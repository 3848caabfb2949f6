/** @jsxImportSource @kitajs/html */
import type { Problem } from "../src/state/problems.ts";
import { Callers } from "./callers.tsx";
import { Charts } from "./charts.tsx";
import { ModelStates } from "./model-states.tsx";
import { Problems } from "./problems.tsx";
import { Servers } from "./servers.tsx";
import { Tiles } from "./tiles.tsx";

export interface OverviewProps {
  readonly problems: readonly Problem[];
  /** Whether the server belongs to a cluster. */
  readonly isCluster: boolean;
}

/** The overview: a verdict, the problems behind it, the models and whether they are free, figures, and plots of the last minutes. */
export function Overview({ problems, isCluster }: OverviewProps): string {
  return (
    <section class="overview" x-data="overview" aria-labelledby="verdict">
      <div class="verdict" x-bind:class="verdict().tone">
        <span class="lamp" aria-hidden="true"></span>
        <h2 id="verdict" x-text="verdict().title">
          Connecting…
        </h2>
        <p x-text="verdict().detail">&nbsp;</p>
      </div>
      <Problems known={problems} isCluster={isCluster} />
      <Tiles />
      {isCluster ? <Servers /> : ""}
      <div class="columns">
        <ModelStates isCluster={isCluster} />
        <Callers isCluster={isCluster} />
      </div>
      <Charts />
    </section>
  ) as string;
}
