/** @jsxImportSource @kitajs/html */
import { Layout, type PageAssets } from "./layout.tsx";

export interface SignInProps {
  readonly assets: PageAssets;
  /** What was wrong with the last try. */
  readonly problem: string | undefined;
  /** Whether any key would do. */
  readonly hasKey: boolean;
}

/** The form that asks for the API key. */
export function SignInPage({ assets, problem, hasKey }: SignInProps): string {
  return (
    <Layout title="Sign in · Moorage" assets={assets}>
      <main class="sign-in card">
        <h1>Moorage</h1>
        {hasKey ? (
          <form method="post" action="/state/sign-in">
            <label for="key">API key</label>
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
