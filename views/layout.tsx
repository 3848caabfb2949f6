/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";

export interface LayoutProps {
  readonly title: string;
  /** Paths of scripts of this origin; the page's security policy lets no other run. */
  readonly scripts?: readonly string[];
}

/** A whole page: what every page of this server has around its content. Children must be escaped already. */
export function Layout({ title, scripts = [], children }: PropsWithChildren<LayoutProps>): string {
  const html = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title safe>{title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/state/style.css" />
        {scripts.map((src) => (
          <script src={src} defer></script>
        ))}
      </head>
      <body>{children as "safe"}</body>
    </html>
  );
  // A string, for nothing in these pages is rendered later.
  return `<!doctype html>${html as string}`;
}
