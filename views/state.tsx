/** @jsxImportSource @kitajs/html */
import type { Problem } from "../src/state/problems.ts";
import { Layout, type PageAssets } from "./layout.tsx";
import { firstSection, type LaterSection } from "./sections.tsx";
import { ServerLine, ServerSwitch } from "./servers.tsx";

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
  readonly sections: readonly Pick<LaterSection, "id" | "label">[];
}

/** The dashboard: the overview, and a tab for each other section. The page's module fills them and keeps them up to date. */
export function StatePage(props: StateProps): string {
  const { version, canSignOut, mayAct, hasKeys, assets, boot, cluster, problems, sections } = props;
  const isCluster = cluster !== undefined;
  const first = firstSection({ problems, isCluster });
  const tabs = [first, ...sections];
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
      <div class="shell" x-data={`tabs('${tabs.map(({ id }) => id).join(" ")}')`}>
        <Header version={version} canSignOut={canSignOut} mayAct={mayAct} tabs={tabs} isCluster={isCluster} />
        <p class="cut-off" role="alert" x-data="" x-cloak x-show="$store.pool.lastSeen !== ''">
          <b x-text="$store.pool.link === 'signed_out' ? 'You are signed out. A restart of the server ends all sign-ins.' : 'The server cannot be reached. Trying again…'"></b>{" "}
          <span x-text="'This page shows the state at ' + $store.pool.lastSeen + '.'"></span>{" "}
          <a class="onward" href="/state" x-show="$store.pool.link === 'signed_out'">
            Sign in
          </a>
        </p>
        <main id="main" tabindex="-1" x-bind:class="$store.pool.lastSeen === '' ? '' : 'stale'">
          {isCluster ? <ServerLine /> : ""}
          <div class="tab" id={`tab-${first.id}`} x-show={`isOpen('${first.id}')`}>
            {first.html as "safe"}
          </div>
          {sections.map(({ id }) => (
            <div class="tab" id={`tab-${id}`} x-cloak x-show={`isOpen('${id}')`} x-later={id}>
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

interface HeaderProps {
  readonly version: string;
  readonly canSignOut: boolean;
  readonly mayAct: boolean;
  readonly tabs: readonly Pick<LaterSection, "id" | "label">[];
  readonly isCluster: boolean;
}

function Header({ version, canSignOut, mayAct, tabs, isCluster }: HeaderProps): string {
  return (
    <header>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <h1>Moorage</h1>
      <span class="soft version" safe>
        {version}
      </span>
      <nav aria-label="Sections">
        {tabs.map(({ id, label }) => (
          <a href={`#${id}`} x-bind:aria-current={`current('${id}')`} safe>
            {label}
          </a>
        ))}
      </nav>
      {isCluster ? <ServerSwitch /> : ""}
      <span class="link" role="status" x-bind:class="$store.pool.link">
        <span x-text="$store.pool.link === 'live' ? 'live' : $store.pool.link === 'signed_out' ? 'signed out' : $store.pool.link === 'connecting' ? 'connecting…' : 'reconnecting…'">
          connecting…
        </span>
      </span>
      {mayAct ? (
        ""
      ) : (
        <span class="badge" title="You can see the state. Only admins can act and try the API.">
          viewer
        </span>
      )}
      <button
        type="button"
        class="quiet"
        x-data="theme"
        x-on:click="toggle()"
        x-text="isDark ? 'Light' : 'Dark'"
        x-bind:aria-label="isDark ? 'Switch to the light theme' : 'Switch to the dark theme'"
      >
        Theme
      </button>
      {canSignOut ? (
        <form method="post" action="/state/sign-out" x-show="$store.pool.link !== 'signed_out'">
          <button type="submit" class="quiet">
            Sign out
          </button>
        </form>
      ) : (
        ""
      )}
    </header>
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
