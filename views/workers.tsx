/** @jsxImportSource @kitajs/html */
import type { PluginShare } from "./sections.tsx";
import { SharedPage } from "./shared-page.tsx";

/** The page on workers, over all plugins. */
export function Workers({ shares }: { readonly shares: readonly PluginShare[] }): string {
  return (<SharedPage title="Workers" shares={shares} />) as string;
}
