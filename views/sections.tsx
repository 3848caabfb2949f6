/** @jsxImportSource @kitajs/html */
import { Overview } from "./overview.tsx";

/** One tab of the dashboard, and what is shown under it. */
export interface StateSection {
  readonly id: string;
  readonly label: string;
  /** Markup of the section's owner, which has escaped it. */
  readonly html: string;
}

/** The sections that belong to no plugin. They stand before the plugins' sections, and the first one is shown at the start. */
export function frameSections(): readonly StateSection[] {
  return [{ id: "overview", label: "Overview", html: (<Overview />) as string }];
}
