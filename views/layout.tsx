/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";

/** Paths of this origin; the page's security policy lets nothing else be loaded. */
export interface PageAssets {
  /** Sets the theme, before anything is drawn. */
  readonly theme: string;
  /** The module that fills the page. */
  readonly script: string;
  /** What the module imports, so that the browser asks for all of it at once. */
  readonly preloads: readonly string[];
  readonly styles: readonly string[];
}

export interface LayoutProps {
  readonly title: string;
  readonly assets: PageAssets;
  /** Whether the page's module is loaded: a page without live parts needs none. */
  readonly isLive?: boolean;
  /** Whether the public API asks for keys. */
  readonly hasKeys?: boolean;
}

/** A whole page: what every page of this server has around its content. Children must be escaped already. */
export function Layout(props: PropsWithChildren<LayoutProps>): string {
  const { title, assets, isLive = false, hasKeys = true, children } = props;
  const html = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        <title safe>{title}</title>
        <link rel="icon" href={ICON} />
        {assets.styles.map((href) => (
          <link rel="stylesheet" href={href} />
        ))}
        <script src={assets.theme}></script>
        {isLive ? <Module assets={assets} /> : ""}
      </head>
      <body data-keys={hasKeys ? "some" : "none"}>{children as "safe"}</body>
    </html>
  );
  // A string, for nothing in these pages is rendered later.
  return `<!doctype html>${html as string}`;
}

function Module({ assets }: { readonly assets: PageAssets }): string {
  return (
    <>
      {assets.preloads.map((href) => (
        <link rel="modulepreload" href={href} />
      ))}
      <script type="module" src={assets.script}></script>
    </>
  ) as string;
}

/** A mooring buoy. */
const ICON =
  "data:image/svg+xml," +
  "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Ccircle cx='16' cy='16' r='15' fill='%230e6fb8'/%3E" +
  "%3Ccircle cx='16' cy='13' r='6' fill='%23ff8a3d'/%3E%3Cpath d='M4 21q4-3 8 0t8 0 8 0v3q-4 3-8 0t-8 0-8 0z' fill='%23fff'/%3E%3C/svg%3E";
