/** @jsxImportSource @kitajs/html */
import { Overview, type OverviewProps } from "./overview.tsx";

/** A tab of the dashboard and its content. */
export interface StateSection {
  readonly id: string;
  readonly label: string;
  /** Markup of the section's owner, which has escaped it. */
  readonly html: string;
}

/** The sections that belong to no plugin. They precede the plugins' sections, and the first of them is shown at the start. */
export function frameSections(props: OverviewProps): readonly StateSection[] {
  return [{ id: "overview", label: "Overview", html: (<Overview {...props} />) as string }];
}
