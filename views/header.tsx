/** @jsxImportSource @kitajs/html */

import { LeaveIcon, Logo, PlusIcon, ThemeIcon } from "./icons.tsx";
import { bind } from "./parts/bind.ts";
import type { LaterSection } from "./sections.tsx";
import { ServerSwitch } from "./servers.tsx";

export type HeaderSection = Pick<LaterSection, "id" | "label" | "isInNavigation" | "isForAdmins">;

export interface HeaderProps {
  readonly version: string;
  readonly canSignOut: boolean;
  readonly mayAct: boolean;
  readonly tabs: readonly HeaderSection[];
  readonly isCluster: boolean;
}

/** The bar at the top with what is true of the whole page, and the navigation below it. */
export function Header({ version, canSignOut, mayAct, tabs, isCluster }: HeaderProps): string {
  return (
    <header>
      <a class="skip" href="#main" {...bind("x-on:click.prevent", "skip()")}>
        Skip to content
      </a>
      <div class="bar">
        <a class="brand" href="#overview">
          <Logo />
          <h1>Moorage</h1>
        </a>
        <span class="soft version" safe>
          {version}
        </span>
        {isCluster ? <ServerSwitch /> : ""}
        <LinkState />
        {mayAct ? (
          ""
        ) : (
          <span class="badge" title="You can see the state. Only admins can act and try the API.">
            viewer
          </span>
        )}
        <a class="button" href="#use" x-bind:aria-current="current('use')">
          Use it
        </a>
        <a
          class="button main for-admins add"
          href="#add"
          aria-label="Add a worker"
          x-bind:aria-current="current('add')"
        >
          <PlusIcon />
          <span class="word">Add a worker</span>
        </a>
        <button
          type="button"
          class="quiet bare"
          x-data="theme"
          x-on:click="toggle()"
          aria-label="Theme"
          title="Theme"
          x-bind:title="isDark ? 'Switch to the light theme' : 'Switch to the dark theme'"
          x-bind:aria-label="isDark ? 'Switch to the light theme' : 'Switch to the dark theme'"
        >
          <ThemeIcon />
        </button>
        {canSignOut ? (
          <form method="post" action="/state/sign-out" x-show="$store.pool.link !== 'signed_out'">
            <button type="submit" class="quiet bare" title="Sign out">
              <LeaveIcon />
              <span class="word">Sign out</span>
            </button>
          </form>
        ) : (
          ""
        )}
      </div>
      <nav aria-label="Sections">
        {tabs
          .filter(({ isInNavigation }) => isInNavigation)
          .map(({ id, label, isForAdmins }) => (
            <a
              href={`#${id}`}
              class={isForAdmins === true ? "for-admins" : undefined}
              x-bind:aria-current={`current('${id}')`}
              safe
            >
              {label}
            </a>
          ))}
      </nav>
    </header>
  ) as string;
}

function LinkState(): string {
  return (
    <span class="link" role="status" x-bind:class="$store.pool.link">
      <span x-text="$store.pool.link === 'live' ? 'live' : $store.pool.link === 'signed_out' ? 'signed out' : $store.pool.link === 'connecting' ? 'connecting…' : 'reconnecting…'">
        connecting…
      </span>
    </span>
  ) as string;
}
