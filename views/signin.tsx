/** @jsxImportSource @kitajs/html */
import { Layout, type PageAssets } from "./layout.tsx";

export interface SignInProps {
  readonly assets: PageAssets;
  /** The reason why the last attempt failed. */
  readonly problem: string | undefined;
  /** The kind of key to sign in with; undefined where there are none. */
  readonly keyKind: "admin" | "API" | undefined;
}

/** The form that asks an operator for a key. */
export function SignInPage({ assets, problem, keyKind }: SignInProps): string {
  return (
    <Layout title="Sign in · Moorage" assets={assets}>
      <main class="sign-in card">
        <h1>Moorage</h1>
        {keyKind !== undefined ? (
          <form method="post" action="/state/sign-in">
            <label for="key">{keyKind === "admin" ? "Admin key" : "API key"}</label>
            <input id="key" name="key" type="password" autocomplete="current-password" required autofocus />
            {problem === undefined ? (
              ""
            ) : (
              <p class="problem" role="alert" safe>
                {problem}
              </p>
            )}
            <button type="submit" class="main">
              Sign in
            </button>
          </form>
        ) : (
          <p>This server accepts roles from its proxy and has no key to sign in with. Sign in to the proxy first.</p>
        )}
      </main>
    </Layout>
  ) as string;
}
