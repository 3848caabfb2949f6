/** @jsxImportSource @kitajs/html */
import type { PluginShare } from "./sections.tsx";

/** A page that plugins fill together: under a heading each, what each of them adds. */
export function SharedPage({
  title,
  shares,
}: {
  readonly title: string;
  readonly shares: readonly PluginShare[];
}): string {
  return (
    <section class="page" aria-label={title}>
      {shares.map(({ plugin, label, render }) => (
        <section class="share" data-plugin={plugin} aria-labelledby={`${title}-${plugin}`}>
          <h2 id={`${title}-${plugin}`} safe>
            {label}
          </h2>
          {render() as "safe"}
        </section>
      ))}
    </section>
  ) as string;
}
