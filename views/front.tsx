/** @jsxImportSource @kitajs/html */
import { Logo, ThemeIcon } from "./icons.tsx";
import { Layout, type PageAssets } from "./layout.tsx";

export interface FrontPageProps {
  readonly assets: PageAssets;
  /** The base URL for OpenAI clients. */
  readonly baseUrl: string;
  /** A command line that lists the models. */
  readonly line: string;
  /** Whether clients need a key. */
  readonly hasKeys: boolean;
}

/** The page at the root, for people who open the server's address in a browser. It works without scripts. */
export function FrontPage({ assets, baseUrl, line, hasKeys }: FrontPageProps): string {
  return (
    <Layout title="Moorage" assets={assets}>
      <main class="front">
        <div class="brand-line">
          <Logo />
          <h1>Moorage</h1>
          <ThemeSwitch />
        </div>
        <p class="lead">
          One address for models and tools that run on private machines. Programs use it like OpenAI's API; the machines
          dial out to it, and need no open port.
        </p>
        <p class="ways">
          <a class="button main" href="/state">
            {hasKeys ? "Sign in to the dashboard" : "Open the dashboard"}
          </a>
          <a class="button" href="/join">
            Add a worker
          </a>
          <a class="button" href="/api/client/">
            API description
          </a>
        </p>
        <section class="card">
          <h2>Use it</h2>
          <p>
            Base URL for OpenAI clients:{" "}
            <code class="whole" safe>
              {baseUrl}
            </code>
          </p>
          {hasKeys ? (
            <p>
              The API key comes from the operator of this server. With it in <code>API_KEY</code>, this lists the
              models:
            </p>
          ) : (
            <p>This server asks for no key. This lists the models:</p>
          )}
          <pre tabindex="0">
            <code safe>{line}</code>
          </pre>
        </section>
      </main>
    </Layout>
  ) as string;
}

/** The switch of the theme on pages without the dashboard's modules. Without scripts, the system's theme holds. */
export function ThemeSwitch(): string {
  return (
    <button
      type="button"
      class="quiet bare theme-switch"
      data-does="theme"
      hidden
      aria-label="Switch between the light and the dark theme"
      title="Switch between the light and the dark theme"
    >
      <ThemeIcon />
    </button>
  ) as string;
}
