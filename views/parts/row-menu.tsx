/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";
import { bind } from "./bind.ts";

export interface MenuButtonProps {
  /** The expression for what the row is about. */
  readonly name?: string;
  /** The expression for what the menu acts on, and that for its key. */
  readonly subject?: string;
  readonly subjectKey?: string;
}

/** The button that opens the menu of a row. */
export function MenuButton({ name = "row.name", subject = "row", subjectKey = "row.key" }: MenuButtonProps): string {
  return (
    <button
      type="button"
      class="menu-button"
      aria-haspopup="menu"
      x-bind:aria-expanded={`isMenuOf(${subjectKey}) ? 'true' : 'false'`}
      x-bind:aria-label={`'Actions for ' + ${name}`}
      x-on:click={`openMenu($el, ${subject})`}
      {...bind("x-on:keydown.down.prevent", `openMenu($el, ${subject})`)}
    >
      <span aria-hidden="true">⋯</span>
    </button>
  ) as string;
}

/** The menu of all rows of a list, within `x-data="rowMenu"`. The children are its items, bound to `subject`. */
export function RowMenu({ label, children }: PropsWithChildren<{ readonly label: string }>): string {
  return (
    <div
      role="menu"
      class="row-menu"
      popover="auto"
      tabindex="-1"
      aria-label={label}
      x-on:toggle="toggled($event)"
      x-on:keydown="moved($event)"
      {...bind("x-on:click.capture", "chosen($event)")}
    >
      {children as "safe"}
    </div>
  ) as string;
}

interface MenuItemProps {
  readonly label: string;
  /** What it does, on `subject`. */
  readonly run: string;
  /** The condition under which it is there; always unless given. */
  readonly when?: string;
  readonly isForAdmins?: boolean;
  readonly isDangerous?: boolean;
}

export function MenuItem({ label, run, when, isForAdmins, isDangerous }: MenuItemProps): string {
  const classes = [isForAdmins === true ? "for-admins" : "", isDangerous === true ? "alarm" : ""].filter(
    (name) => name !== "",
  );
  return (
    <button
      type="button"
      role="menuitem"
      tabindex="-1"
      class={classes.join(" ") || undefined}
      x-on:click={run}
      {...(when === undefined ? {} : { "x-show": when })}
      safe
    >
      {label}
    </button>
  ) as string;
}

/** A line between groups of items. */
export function MenuLine({ isForAdmins }: { readonly isForAdmins?: boolean }): string {
  return (<hr class={isForAdmins === true ? "for-admins" : undefined} />) as string;
}
