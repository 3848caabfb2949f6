/** @jsxImportSource @kitajs/html */

/** What one plugin adds to the playground. */
export interface PluginShare {
  readonly plugin: string;
  /** The plugin's work in people's words: `Language models`. */
  readonly label: string;
  /** Markup, escaped by the plugin. */
  readonly render: () => string;
}

/** The page for trying things out: the panels of all plugins, one at a time. */
export function Playground({ shares }: { readonly shares: readonly PluginShare[] }): string {
  return (
    <section class="page playground" aria-labelledby="playground-title" x-data="playground">
      <div class="page-title">
        <h2 id="playground-title">Playground</h2>
        <p class="soft">Requests from here count as yours. They use the same API as every program.</p>
      </div>
      <fieldset class="picks">
        <legend class="unseen">Panels</legend>
        <template x-for="each in panels" x-bind:key="each.id">
          <button
            type="button"
            x-on:click="show(each.id)"
            x-bind:aria-pressed="isPanel(each.id) ? 'true' : 'false'"
            x-text="each.label"
          ></button>
        </template>
      </fieldset>
      {shares.map(({ render }) => render()).join("") as "safe"}
    </section>
  ) as string;
}
