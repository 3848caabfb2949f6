/** @jsxImportSource @kitajs/html */
import { ThemeSwitch } from "./front.tsx";
import { Logo } from "./icons.tsx";
import { Layout, type PageAssets } from "./layout.tsx";

export interface SignInProps {
  readonly assets: PageAssets;
  /** The reason why the last attempt failed. */
  readonly problem: string | undefined;
  /** The kind of key to sign in with; undefined where there are none. */
  readonly keyKind: "admin" | "API" | undefined;
  /** The issuer to sign in by, and where that begins; undefined without one. */
  readonly issuer: { readonly name: string; readonly href: string } | undefined;
  /** The page that was asked for. */
  readonly to: string;
}

/** Where each kind of key comes from. */
const SOURCE = {
  admin: "An operator's key: ADMIN_KEY of the server, or an admin key that was made with it.",
  API: "A key of this server: one of its API_KEY, or one that an operator made. The demo prints its own.",
} as const;

/** The page that asks an operator for a key, or leads to an issuer. It works without scripts. */
export function SignInPage({ assets, problem, keyKind, issuer, to }: SignInProps): string {
  return (
    <Layout title="Sign in · Moorage" assets={assets}>
      <main class="sign-in">
        <div class="card">
          <div class="brand-line">
            <Logo />
            <h1>Moorage</h1>
            <ThemeSwitch />
          </div>
          {problem === undefined ? (
            ""
          ) : (
            <p class="problem" role="alert" id="problem" safe>
              {problem}
            </p>
          )}
          {issuer === undefined ? (
            ""
          ) : (
            <a class="button main" href={issuer.href} safe>
              {`Sign in with ${issuer.name}`}
            </a>
          )}
          {keyKind !== undefined ? (
            <form method="post" action="/state/sign-in">
              <label for="key">{keyKind === "admin" ? "Admin key" : "API key"}</label>
              <div class="secret-field">
                <input
                  id="key"
                  name="key"
                  type="password"
                  autocomplete="current-password"
                  autocapitalize="none"
                  spellcheck="false"
                  required
                  autofocus={issuer === undefined}
                  aria-describedby={problem === undefined ? "key-source" : "problem key-source"}
                  aria-invalid={problem === undefined ? undefined : "true"}
                />
                <button type="button" class="quiet" data-does="reveal" aria-controls="key" aria-pressed="false" hidden>
                  Show
                </button>
              </div>
              <p class="soft" id="key-source">
                {SOURCE[keyKind]}
              </p>
              <input type="hidden" name="to" value={to} />
              <button type="submit" class={issuer === undefined ? "main" : undefined}>
                {issuer === undefined ? "Sign in" : "Sign in with a key"}
              </button>
            </form>
          ) : issuer !== undefined ? (
            ""
          ) : (
            <p>This server accepts roles from its proxy and has no key to sign in with. Sign in to the proxy first.</p>
          )}
        </div>
        <p class="soft elsewhere">
          <a href="/">What this server is, and how to use it</a>
        </p>
      </main>
    </Layout>
  ) as string;
}
