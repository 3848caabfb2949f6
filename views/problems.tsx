/** @jsxImportSource @kitajs/html */
import type { Problem } from "../src/state/problems.ts";
import { OneServerLine } from "./servers.tsx";

interface ProblemsProps {
  /** The problems when the page was made. They keep their place until the page's script takes over. */
  readonly known: readonly Problem[];
  readonly isCluster: boolean;
}

/** What is wrong, worst first, with what to do about each and a link to what it names. Without problems it takes no room. */
export function Problems({ known, isCluster }: ProblemsProps): string {
  return (
    <div class="problems card" x-cloak={known.length === 0} x-show="$store.pool.problems().length > 0">
      <h3 class="unseen">Problems</h3>
      {known.length === 0 ? "" : <KnownProblems problems={known} />}
      <ul>
        <template x-for="each in problems()" x-bind:key="each.code + each.plugin + each.title">
          <li x-bind:class="each.severity">
            <span class="badge" x-bind:class="each.severity" x-text="each.severity"></span>
            <div>
              <b x-text="each.title"></b>
              <p x-text="each.advice"></p>
            </div>
            <a
              class="about"
              x-show="about(each) !== null"
              href="#workers"
              x-bind:href="about(each) ? about(each).href : ''"
              x-text="about(each) ? about(each).label : ''"
            >
              Show
            </a>
            <span class="soft age" x-text="'for ' + $format.age(each.since, $store.pool.now)"></span>
          </li>
        </template>
      </ul>
      <button type="button" class="quiet small" x-cloak x-show="hasMore()" x-on:click="showAll()" x-text="moreText()">
        more
      </button>
      {isCluster ? <OneServerLine text="problemsText()" /> : ""}
    </div>
  ) as string;
}

function KnownProblems({ problems }: { readonly problems: readonly Problem[] }): string {
  return (
    <ul x-init="$el.remove()">
      {problems.slice(0, 3).map(({ severity, title, advice }) => (
        <li class={severity}>
          <span class={`badge ${severity}`}>{severity}</span>
          <div>
            <b safe>{title}</b>
            <p safe>{advice}</p>
          </div>
          <span class="about"></span>
          <span class="soft age">&nbsp;</span>
        </li>
      ))}
    </ul>
  ) as string;
}
