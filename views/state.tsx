/** @jsxImportSource @kitajs/html */
import { Layout } from "./layout.tsx";

/** What the page shows of one plugin. */
export interface StateSection {
  readonly id: string;
  /** The plugin's own fragment, which it has escaped itself. */
  readonly html: string | undefined;
  /** Its state, for reading. */
  readonly json: string;
}

export interface StateProps {
  readonly version: string;
  readonly canSignOut: boolean;
  readonly sections: readonly StateSection[];
}

/** The state of every plugin as it is now; `/state/app.js` keeps the JSON fresh. */
export function StatePage({ version, canSignOut, sections }: StateProps): string {
  return (
    <Layout title="State · Moorage" scripts={["/state/app.js"]}>
      <header>
        <h1>Moorage</h1>
        <span class="version" safe>
          {version}
        </span>
        <span id="link" role="status"></span>
        {canSignOut ? (
          <form method="post" action="/state/sign-out">
            <button type="submit">Sign out</button>
          </form>
        ) : (
          ""
        )}
      </header>
      <main>
        {sections.map((section) => (
          <Section {...section} />
        ))}
      </main>
    </Layout>
  ) as string;
}

function Section({ id, html, json }: StateSection): string {
  return (
    <section aria-labelledby={`title-${id}`}>
      <h2 id={`title-${id}`} safe>
        {id}
      </h2>
      {html === undefined ? "" : <div class="view">{html as "safe"}</div>}
      <details>
        <summary>State as JSON</summary>
        <pre data-plugin={id} safe>
          {json}
        </pre>
      </details>
    </section>
  ) as string;
}
