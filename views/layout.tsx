/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";

/** The paths of the page's files. The security policy allows files of this origin only. */
export interface PageAssets {
  /** The script that sets the theme before the page is drawn. */
  readonly theme: string;
  /** The module that fills the page. */
  readonly script: string;
  /** The modules that the page's module imports, so that the browser requests all of them at once. */
  readonly preloads: readonly string[];
  readonly styles: readonly string[];
}

export interface LayoutProps {
  readonly title: string;
  readonly assets: PageAssets;
  /** Whether the page loads its module. A page without live parts does not. */
  readonly isLive?: boolean;
  /** The path of the page that this one leads to at once. */
  readonly onward?: string;
  /** Whether operators' actions are shown. */
  readonly mayAct?: boolean;
  /** Whether the public API asks for keys. */
  readonly hasKeys?: boolean;
}

/** The frame of every page of this server. Children MUST be escaped. */
export function Layout(props: PropsWithChildren<LayoutProps>): string {
  const { title, assets, isLive = false, hasKeys = true, mayAct = true, onward, children } = props;
  const html = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        {onward === undefined ? "" : <meta http-equiv="refresh" content={`0;url=${onward}`} />}
        <title safe>{title}</title>
        <link rel="icon" href={ICON} />
        {assets.styles.map((href) => (
          <link rel="stylesheet" href={href} />
        ))}
        <script src={assets.theme}></script>
        {isLive ? <Module assets={assets} /> : ""}
      </head>
      <body data-keys={hasKeys ? "some" : "none"} data-role={mayAct ? "admin" : "viewer"}>
        {children as "safe"}
      </body>
    </html>
  );
  // The value is a string, because no component in these pages is asynchronous.
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
