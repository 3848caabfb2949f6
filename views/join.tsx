/** @jsxImportSource @kitajs/html */
import { ThemeSwitch } from "./front.tsx";
import { Logo } from "./icons.tsx";
import { Layout, type PageAssets } from "./layout.tsx";

export interface JoinPageProps {
  readonly assets: PageAssets;
  readonly origin: string;
  readonly version: string;
  /** What lets a worker in, and who has it. */
  readonly need: string;
  readonly kinds: readonly {
    readonly title: string;
    readonly lines: readonly { readonly heading: string; readonly text: string }[];
  }[];
}

/** The page that says how a machine becomes a worker of this server. It works without scripts, and contains no secret. */
export function JoinPage({ assets, origin, version, need, kinds }: JoinPageProps): string {
  return (
    <Layout title="Add a worker · Moorage" assets={assets}>
      <main class="join">
        <div class="brand-line">
          <a href="/">
            <Logo />
            Moorage
          </a>
          <ThemeSwitch />
        </div>
        <h1>Add a worker</h1>
        <p>
          A worker connects the models or tools of a machine to <strong safe>{origin}</strong>. The machine only dials
          out, so it needs no open port. It needs Node, or Bun, and gets the server's own version,{" "}
          <span safe>{version}</span>.
        </p>
        <p safe>{need}</p>
        {kinds.map(({ title, lines }) => (
          <section class="card">
            <h2 safe>{title}</h2>
            {lines.map(({ heading, text }) => (
              <>
                <h3 safe>{heading}</h3>
                <pre tabindex="0">
                  <code safe>{text}</code>
                </pre>
              </>
            ))}
          </section>
        ))}
        <p>
          Stop a worker with Ctrl+C. <code>… worker install</code> with the same words keeps it running as a service.{" "}
          <a href="/state">Dashboard</a> · <a href="/join.sh">join.sh</a> · <a href="/join.ps1">join.ps1</a>
        </p>
      </main>
    </Layout>
  ) as string;
}
