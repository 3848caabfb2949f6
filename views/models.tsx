/** @jsxImportSource @kitajs/html */
import type { PluginShare } from "./sections.tsx";
import { SharedPage } from "./shared-page.tsx";

/** The page on models, over all plugins. */
export function Models({ shares }: { readonly shares: readonly PluginShare[] }): string {
  return (<SharedPage title="Models" shares={shares} />) as string;
}
