import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { PageAssets } from "../../views/layout.tsx";
import { Fault } from "../errors.ts";
import { clientFiles, type PackageFile, packageFile } from "../system/browser-files.ts";

/** The files that the pages load, all from this origin. */
export interface Assets {
  /** As the pages name them. */
  readonly page: PageAssets;
  readonly names: readonly string[];
  /** Where a file is served: the path changes when any of the files does. Throws for a name that is none. */
  path(name: string): string;
  /** Answers for `/state/assets/{hash}/{name}`. Throws `unknown_url` for what is not one of the files as they are now. */
  serve(request: Request, hash: string, name: string): Response;
}

interface Asset {
  readonly type: string;
  readonly content: Buffer;
  /** By encoding; made when first asked for. */
  readonly packed: Map<Encoding, Buffer>;
}

export type Encoding = "br" | "gzip";

/** What packages bring, under the names that the page's modules import. */
const VENDORED: readonly PackageFile[] = ["alpine.js", "uplot.js", "uplot.css"];
const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";
/** Characters of the hash in the path: enough that two versions never share one. */
const HASH_CHARS = 16;

/**
 * Reads and transpiles the files: 15 to 30 ms, so only a server that somebody looks at does it. Modules keep their
 * names and import each other by relative paths, so that the hash in the path of the first is in that of all.
 */
export function createAssets(): Assets {
  const transpiler = new Bun.Transpiler({ loader: "ts", target: "browser", minifyWhitespace: true });
  const assets = new Map<string, Asset>();
  const add = (name: string, type: string, content: string): void => {
    assets.set(name, { type, content: Buffer.from(content), packed: new Map() });
  };
  for (const [name, path] of clientFiles()) {
    const read = (): string => readFileSync(path, "utf8");
    if (name.endsWith(".css")) add(name, STYLE, read());
    else if (name.endsWith(".ts") && !name.endsWith(".d.ts")) {
      const script = transpiler.transformSync(read());
      // Types alone leave nothing to load.
      if (script.trim() !== "") add(name, SCRIPT, script);
    }
  }
  for (const name of VENDORED) {
    const path = packageFile(name);
    const text = readFileSync(path, "utf8");
    if (name.endsWith(".css")) add(name, STYLE, text);
    else add(name, SCRIPT, path.includes(".min.") ? text : transpiler.transformSync(text));
  }
  const hash = hashOf(assets);
  const path = (name: string): string => {
    if (!assets.has(name)) throw new Error(`there is no asset ${name}`);
    return `/state/assets/${hash}/${name}`;
  };
  const modules = [...assets.keys()].filter((name) => !name.endsWith(".css") && name !== THEME && name !== MAIN);
  return {
    page: {
      theme: path(THEME),
      script: path(MAIN),
      preloads: modules.map(path),
      styles: ["uplot.css", "app.css"].map(path),
    },
    names: [...assets.keys()],
    path,
    serve(request, asked, name) {
      const asset = asked === hash ? assets.get(name) : undefined;
      if (!asset) throw new Fault("unknown_url");
      return answer(asset, encodingFor(request));
    },
  };
}

const THEME = "theme.ts";
const MAIN = "app.ts";

function hashOf(assets: ReadonlyMap<string, Asset>): string {
  const hash = createHash("sha256");
  for (const [name, { content }] of assets) hash.update(`${name}\0${content.length}\0`).update(content);
  return hash.digest("hex").slice(0, HASH_CHARS);
}

function answer(asset: Asset, encoding: Encoding | undefined): Response {
  const { type, content } = asset;
  return new Response(encoding === undefined ? content : packed(asset, encoding), {
    headers: {
      "content-type": type,
      "cache-control": "public, max-age=31536000, immutable",
      vary: "accept-encoding",
      "x-content-type-options": "nosniff",
      ...(encoding === undefined ? {} : { "content-encoding": encoding }),
    },
  });
}

function packed({ content, packed }: Asset, encoding: Encoding): Buffer {
  const known = packed.get(encoding);
  if (known) return known;
  const made =
    encoding === "gzip"
      ? gzipSync(content, { level: 9 })
      : brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } });
  packed.set(encoding, made);
  return made;
}

/** The best quality takes ten times as long for 2 % less. */
const BROTLI_QUALITY = 9;

/** The best that the client takes; undefined for none. */
function encodingFor(request: Request): Encoding | undefined {
  return (["br", "gzip"] as const).find((encoding) => accepts(request, encoding));
}

/** Whether the client takes this encoding. One that it names with `q=0` is refused. */
export function accepts(request: Request, encoding: Encoding): boolean {
  for (const part of (request.headers.get("accept-encoding") ?? "").toLowerCase().split(",")) {
    const [name, ...parameters] = part.split(";").map((each) => each.trim());
    if (name === encoding) return !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  }
  return false;
}
