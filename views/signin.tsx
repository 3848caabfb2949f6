/** @jsxImportSource @kitajs/html */
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

/** The page that asks an operator for a key, or leads to an issuer. It works without scripts. */
export function SignInPage({ assets, problem, keyKind, issuer, to }: SignInProps): string {
  return (
    <Layout title="Sign in · Moorage" assets={assets}>
      <main class="sign-in card">
        <h1>Moorage</h1>
        {problem === undefined ? (
          ""
        ) : (
          <p class="problem" role="alert" safe>
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
            <input
              id="key"
              name="key"
              type="password"
              autocomplete="current-password"
              required
              autofocus={issuer === undefined}
            />
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
      </main>
    </Layout>
  ) as string;
}
