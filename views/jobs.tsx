/** @jsxImportSource @kitajs/html */
import type { PluginShare } from "./sections.tsx";
import { SharedPage } from "./shared-page.tsx";

/** The page on jobs, over all plugins. */
export function Jobs({ shares }: { readonly shares: readonly PluginShare[] }): string {
  return (<SharedPage title="Jobs" shares={shares} />) as string;
}
