/** @jsxImportSource @kitajs/html */
import type { Problem } from "../src/state/problems.ts";
import { Header, type HeaderSection } from "./header.tsx";
import { Layout, type PageAssets } from "./layout.tsx";
import { firstSection, type LaterSection } from "./sections.tsx";
import { ServerLine } from "./servers.tsx";

export interface StateProps {
  readonly version: string;
  readonly canSignOut: boolean;
  /** Whether the page offers operators' actions. */
  readonly mayAct: boolean;
  readonly hasKeys: boolean;
  readonly assets: PageAssets;
  /** The server's part of the state as JSON, safe inside a script element. */
  readonly boot: string;
  /** The cluster as JSON, safe inside a script element; undefined without a cluster. */
  readonly cluster?: string | undefined;
  /** The problems in `boot`. */
  readonly problems: readonly Problem[];
  /** The sections after the first one, in their order. The page loads what is in them when they are opened. */
  readonly sections: readonly Omit<LaterSection, "render">[];
  /** The work of each plugin in people's words, by the plugin's id. */
  readonly kinds?: Readonly<Record<string, string>>;
  /** Leads from the sections of earlier versions to their successors: pairs such as `llm` and `workers?plugin=llm`. */
  readonly oldSections?: readonly (readonly [id: string, successor: string])[];
}

/** The dashboard: the overview, and a tab for each other section. The page's module fills them and keeps them up to date. */
export function StatePage(props: StateProps): string {
  const {
    version,
    canSignOut,
    mayAct,
    hasKeys,
    assets,
    boot,
    cluster,
    problems,
    sections,
    kinds = {},
    oldSections = [],
  } = props;
  const isCluster = cluster !== undefined;
  const first = firstSection({ problems, isCluster });
  const tabs: readonly HeaderSection[] = [{ ...first, isInNavigation: true }, ...sections];
  return (
    <Layout title="Moorage" assets={assets} isLive hasKeys={hasKeys} mayAct={mayAct}>
      <script type="application/json" id="boot">
        {boot as "safe"}
      </script>
      {isCluster ? (
        <script type="application/json" id="boot-cluster">
          {cluster as "safe"}
        </script>
      ) : (
        ""
      )}
      <div
        class="shell"
        x-data="shell"
        data-sections={tabs.map(({ id }) => id).join(" ")}
        data-kinds={JSON.stringify(kinds)}
        data-old={oldSections.map(([id, successor]) => `${id}=${successor}`).join(" ")}
      >
        <Header version={version} canSignOut={canSignOut} mayAct={mayAct} tabs={tabs} isCluster={isCluster} />
        <p class="cut-off" role="alert" x-data="" x-cloak x-show="$store.pool.lastSeen !== ''">
          <b x-text="$store.pool.link === 'signed_out' ? 'You are signed out. A restart of the server ends all sign-ins.' : 'The server cannot be reached. Trying again…'"></b>{" "}
          <span x-text="'This page shows the state at ' + $store.pool.lastSeen + '.'"></span>{" "}
          <a
            class="onward"
            href="/state"
            x-bind:href="'/state' + $store.route.hash()"
            x-show="$store.pool.link === 'signed_out'"
          >
            Sign in
          </a>
        </p>
        <main id="main" tabindex="-1" x-bind:class="$store.pool.lastSeen === '' ? '' : 'stale'">
          {isCluster ? <ServerLine /> : ""}
          <div
            class="tab"
            id={`tab-${first.id}`}
            data-section={first.id}
            data-label={first.label}
            x-show={`isOpen('${first.id}')`}
          >
            {first.html as "safe"}
          </div>
          {sections.map(({ id, label }) => (
            <div
              class="tab"
              id={`tab-${id}`}
              data-section={id}
              data-label={label}
              x-cloak
              x-show={`isOpen('${id}')`}
              x-later={id}
            >
              <p class="soft">Loading…</p>
            </div>
          ))}
        </main>
        <OperatorDialog />
      </div>
      <noscript>
        <p class="problem">This page needs JavaScript. The same state is at /api/state.</p>
      </noscript>
    </Layout>
  ) as string;
}

function OperatorDialog(): string {
  return (
    <>
      <dialog id="ask" class="ask" aria-labelledby="ask-title" x-data="">
        <h2 id="ask-title" x-text="$store.operator.title()">
          Are you sure?
        </h2>
        <p class="name" x-text="$store.operator.name"></p>
        <p x-text="$store.operator.text()"></p>
        <p class="problem" role="alert" x-show="$store.operator.problem !== ''" x-text="$store.operator.problem"></p>
        <div class="buttons">
          <button type="button" x-on:click="$store.operator.close()">
            Cancel
          </button>
          <button
            type="button"
            class="main"
            x-bind:class="$store.operator.isDangerous() ? 'danger' : ''"
            x-bind:disabled="$store.operator.isBusy"
            x-on:click="$store.operator.act()"
            x-text="$store.operator.verb()"
          ></button>
        </div>
      </dialog>
      <p
        class="notice"
        role="status"
        x-cloak
        x-show="$store.operator.notice !== ''"
        x-text="$store.operator.notice"
      ></p>
    </>
  ) as string;
}
