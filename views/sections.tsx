/** @jsxImportSource @kitajs/html */
import { Keys, type KeysProps } from "./keys.tsx";
import { Overview, type OverviewProps } from "./overview.tsx";
import { Usage } from "./usage.tsx";

/** A tab of the dashboard and its content. */
export interface StateSection {
  readonly id: string;
  readonly label: string;
  /** Markup of the section's owner, which has escaped it. */
  readonly html: string;
}

/** A tab of the dashboard whose content is loaded when it is first opened. */
export interface LaterSection {
  readonly id: string;
  readonly label: string;
  /** Returns its markup, escaped. */
  readonly render: () => string;
}

/** The section that precedes those of the plugins, and is shown at the start. */
export function firstSection(props: OverviewProps): StateSection {
  return { id: "overview", label: "Overview", html: (<Overview {...props} />) as string };
}

/** The sections after those of the plugins, over all of which they are. */
export function lastSections(keys: KeysProps): readonly LaterSection[] {
  return [
    { id: "keys", label: "Keys", render: () => (<Keys {...keys} />) as string },
    { id: "usage", label: "Usage", render: () => (<Usage />) as string },
  ];
}
