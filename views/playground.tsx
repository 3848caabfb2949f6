/** @jsxImportSource @kitajs/html */
import type { PluginShare } from "./sections.tsx";

/** The page for trying things out: the panels of all plugins. */
export function Playground({ shares }: { readonly shares: readonly PluginShare[] }): string {
  return (
    <section class="page" aria-labelledby="playground-title">
      <h2 id="playground-title">Playground</h2>
      <div class="tries">{shares.map(({ render }) => render()).join("") as "safe"}</div>
    </section>
  ) as string;
}
