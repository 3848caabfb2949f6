/** @jsxImportSource @kitajs/html */
import { Layout, type PageAssets } from "./layout.tsx";

export interface OnwardProps {
  readonly assets: PageAssets;
  /** A path of this server. */
  readonly to: string;
}

/**
 * The page that ends a sign-in at another site and leads to the one that was asked for. A redirect would not do: to a
 * browser it is a visit from that other site, with which it sends no `Strict` cookie.
 */
export function OnwardPage({ assets, to }: OnwardProps): string {
  return (
    <Layout title="Signed in · Moorage" assets={assets} onward={to}>
      <main class="sign-in card">
        <h1>Moorage</h1>
        <p>
          You are signed in. <a href={to}>Continue</a>
        </p>
      </main>
    </Layout>
  ) as string;
}
