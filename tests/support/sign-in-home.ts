import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BROWSER = join(import.meta.dir, "sign-in-program.ts");

/** A home directory for programs under test, in which every browser is the scripted one. */
export interface SignInHome {
  readonly directory: string;
  /** The whole environment of a program. It reads and writes none of the user's files. */
  readonly env: Readonly<Record<string, string>>;
  /** Returns what the browser complained about. */
  complaints(): string;
  remove(): void;
}

/** Makes a home in which the browser signs in with this key. */
export function makeSignInHome(key: string): SignInHome {
  const directory = mkdtempSync(join(tmpdir(), "moorage-home-"));
  const bin = join(directory, "bin");
  mkdirSync(bin);
  const browser = join(bin, "browser");
  const complaints = join(directory, "browser.log");
  writeFileSync(browser, `#!/bin/sh\nexec '${process.execPath}' '${BROWSER}' "$1" 2>>'${complaints}'\n`);
  chmodSync(browser, 0o755);
  for (const name of ["xdg-open", "open"]) symlinkSync(browser, join(bin, name));
  return {
    directory,
    env: {
      PATH: `${bin}:${process.env["PATH"] ?? ""}`,
      HOME: directory,
      BROWSER: browser,
      SIGN_IN_KEY: key,
      MCP_REMOTE_CONFIG_DIR: directory,
      NO_COLOR: "1",
    },
    complaints: () => (existsSync(complaints) ? readFileSync(complaints, "utf8") : ""),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
