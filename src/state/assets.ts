import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { PageAssets } from "../../views/layout.tsx";
import { Fault } from "../errors.ts";
import { CLIENT_FOLDER, clientFiles, type PackageFile, packageFile, SHARED_FILES } from "../system/browser-files.ts";

/** The files that the pages load, all from this origin. */
export interface Assets {
  /** The names by which pages load them. */
  readonly page: PageAssets;
  readonly names: readonly string[];
  /** The path of a file, which changes if any of the files changes. Throws for an unknown name. */
  path(name: string): string;
  /** Answers `/state/assets/{hash}/{name}`. Throws `unknown_url` for an unknown file, and for one of another version. */
  serve(request: Request, hash: string, name: string): Response;
}

interface Asset {
  readonly type: string;
  readonly content: Buffer;
  /** The compressed forms by encoding, each made when first requested. */
  readonly packed: Map<Encoding, Buffer>;
}

export type Encoding = "br" | "gzip";

/** Files of packages, by the names that the page's modules import. */
const VENDORED: readonly PackageFile[] = ["alpine.js", "marked.js", "uplot.js", "uplot.css"];
/** The package minifies only its form for plain scripts, which is half as large and defines one variable. */
const PLOTS: PackageFile = "uplot.js";
const SCRIPT = "text/javascript; charset=utf-8";
const AUDIO = "audio/wav";
const STYLE = "text/css; charset=utf-8";
/** Length of the hash in the path: enough that two versions never share one. */
const HASH_CHARS = 16;

/** Returns a function that returns the files, which it reads when it is first called. */
export function lazyAssets(): () => Assets {
  let made: Assets | undefined;
  return () => {
    made ??= createAssets();
    return made;
  };
}

/**
 * Reads and transpiles the files. It takes 15 to 30 ms, so a server does it only when a page is opened for the first time. Modules keep
 * their names and import each other by relative paths, so the hash in the first path is in all of them.
 */
export function createAssets(): Assets {
  const transpiler = new Bun.Transpiler({ loader: "ts", target: "browser", minifyWhitespace: true });
  const assets = new Map<string, Asset>();
  const add = (name: string, type: string, content: string | Buffer): void => {
    assets.set(name, {
      type,
      content: typeof content === "string" ? Buffer.from(content) : content,
      packed: new Map(),
    });
  };
  /** The modules that each module imports before it runs. */
  const imports = new Map<string, readonly string[]>();
  const files = clientFiles();
  const sheets = PARTS_OF_STYLE.map((name) => readFileSync(files.get(name) ?? "", "utf8"));
  add(STYLES, STYLE, sheets.join("\n"));
  for (const [name, path] of files) {
    if (name.endsWith(".wav")) add(name, AUDIO, readFileSync(path));
    const read = (): string => readFileSync(path, "utf8");
    if (name.endsWith(".ts") && !name.endsWith(".d.ts")) {
      const script = withSharedNames(transpiler.transformSync(read()));
      // A file with types alone leaves nothing to load.
      if (script.trim() !== "") add(name, SCRIPT, script);
      imports.set(name, staticImports(transpiler, script));
    }
  }
  for (const name of VENDORED) {
    const path = packageFile(name);
    const text = readFileSync(path, "utf8");
    if (name.endsWith(".css")) add(name, STYLE, text);
    else add(name, SCRIPT, name === PLOTS ? `${text}\nexport default uPlot;\n` : text);
  }
  const hash = hashOf(assets);
  const path = (name: string): string => {
    if (!assets.has(name)) throw new Error(`there is no asset ${name}`);
    return `/state/assets/${hash}/${name}`;
  };
  const modules = [...reachable(MAIN, imports)].filter((name) => name !== MAIN && assets.has(name));
  return {
    page: {
      theme: path(THEME),
      script: path(MAIN),
      preloads: modules.map(path),
      styles: ["uplot.css", STYLES].map(path),
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

/** The style sheet, which is sent as one file because each further request costs as much as fifty rules. */
const STYLES = "app.css";
/** Its parts in the order of their rules' precedence. */
const PARTS_OF_STYLE = [
  "theme.css",
  "header.css",
  "controls.css",
  "overview.css",
  "tiles.css",
  "servers.css",
  "plugin.css",
  "tables.css",
  "dense-tables.css",
  "pages.css",
  "panels.css",
  "dialogs.css",
  "keys.css",
  "usage.css",
  "connect.css",
  "command.css",
  "join.css",
  "front.css",
];
const THEME = "theme.ts";
const MAIN = "app.ts";

/** Lets a module import those of `SHARED_FILES` under the names by which they are served. */
function withSharedNames(script: string): string {
  let renamed = script;
  for (const [name, path] of SHARED) renamed = renamed.replaceAll(path, `"./${name}"`);
  return renamed;
}

/** The names of shared modules, and how modules of the pages import them. */
const SHARED = Object.entries(SHARED_FILES).map(([name, path]) => {
  const upwards = CLIENT_FOLDER.split("/").map(() => "..");
  return [name, `"${upwards.join("/")}/${path}"`] as const;
});

function staticImports(transpiler: Bun.Transpiler, script: string): readonly string[] {
  const all = transpiler.scanImports(script);
  return all.flatMap(({ kind, path }) => (kind === "import-statement" ? [path.replace(/^\.\//, "")] : []));
}

/** Returns the modules that are loaded with a module. Those that it imports later, in an expression, are not among them. */
function reachable(name: string, imports: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const found = new Set([name]);
  // What is added during the loop is visited as well.
  for (const each of found) for (const imported of imports.get(each) ?? []) found.add(imported);
  return found;
}

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

/** The best quality would take ten times as long to save 2 %. */
const BROTLI_QUALITY = 9;

/** The best encoding that the client accepts; undefined if it accepts none. */
function encodingFor(request: Request): Encoding | undefined {
  return (["br", "gzip"] as const).find((encoding) => accepts(request, encoding));
}

/** Whether the client accepts an encoding. `q=0` refuses it. */
export function accepts(request: Request, encoding: Encoding): boolean {
  for (const part of (request.headers.get("accept-encoding") ?? "").toLowerCase().split(",")) {
    const [name, ...parameters] = part.split(";").map((each) => each.trim());
    if (name === encoding) return !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  }
  return false;
}
