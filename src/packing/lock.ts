import { isRecord } from "../json/parse.ts";

/** A package that the program is made of, as bun.lock pins it. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** The hash of its archive as npm writes it: `sha512-…`. Undefined where the lock names none. */
  readonly integrity: string | undefined;
  /** Its folder, relative to the top folder. */
  readonly folder: string;
}

/** Returns the packages that the program needs at run time, directly or not, in order of their names. Throws for another file. */
export function productionPackages(lock: string): readonly LockedPackage[] {
  // A trailing comma, which Bun writes, is no JSON.
  const parsed: unknown = Bun.JSONC.parse(lock);
  const workspaces = isRecord(parsed) ? parsed["workspaces"] : undefined;
  const top = isRecord(workspaces) ? workspaces[""] : undefined;
  const packages = isRecord(parsed) ? parsed["packages"] : undefined;
  if (!isRecord(top) || !isRecord(packages)) throw new Error("this is no lock file of Bun");
  const found = new Map<string, LockedPackage>();
  const visit = (parent: string, needs: unknown): void => {
    for (const name of Object.keys(isRecord(needs) ? needs : {})) {
      const key = placeOf(parent, name, packages);
      // An optional package that fits no machine of this project is not locked.
      if (key === undefined || found.has(key)) continue;
      const entry = packages[key];
      if (!Array.isArray(entry)) continue;
      const [id, , facts, integrity] = entry as readonly unknown[]; // Checked one by one below.
      found.set(key, toPackage(key, String(id), integrity));
      if (!isRecord(facts)) continue;
      visit(key, facts["dependencies"]);
      visit(key, facts["optionalDependencies"]);
      visit(key, facts["peerDependencies"]);
    }
  };
  visit("", top["dependencies"]);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Finds a package as Node does: beside its parent first, then further up. The key lists the folders from the top. */
function placeOf(parent: string, name: string, packages: Readonly<Record<string, unknown>>): string | undefined {
  for (let within = namesIn(parent); ; within = within.slice(0, -1)) {
    const key = [...within, name].join("/");
    if (Object.hasOwn(packages, key)) return key;
    if (within.length === 0) return undefined;
  }
}

/** Splits `@a/b/c` into `@a/b` and `c`. */
function namesIn(key: string): readonly string[] {
  return key.match(/@[^/]+\/[^/]+|[^/]+/g) ?? [];
}

function toPackage(key: string, id: string, integrity: unknown): LockedPackage {
  const at = id.lastIndexOf("@");
  return {
    name: id.slice(0, at),
    version: id.slice(at + 1),
    integrity: typeof integrity === "string" ? integrity : undefined,
    folder: namesIn(key)
      .map((name) => `node_modules/${name}`)
      .join("/"),
  };
}
