import { test } from "bun:test";
import { existsSync } from "node:fs";
import { foundNatsServer } from "./found-nats-server.ts";

/** A program or another thing that a group of tests needs on the machine. */
export interface Need {
  readonly name: string;
  readonly isThere: () => boolean;
  /** The Debian package that contains it, or another name under which `.ci/run` installs it. */
  readonly package?: string;
  /** The command that installs it, if it is no Debian package. */
  readonly install?: string;
  /** The reason why a CI machine may lack it. */
  readonly mayLack?: string;
}

const program = (name: string, from = name): Need => ({
  name,
  isThere: () => Bun.which(name) !== null,
  package: from,
});

/** The programs that tests start. */
export const PROGRAMS = {
  busybox: program("busybox"),
  caddy: program("caddy"),
  flite: program("flite"),
  nats: {
    name: "nats-server",
    isThere: () => foundNatsServer().kind === "found",
    package: "nats-server",
    get install(): string {
      const server = foundNatsServer();
      const tried = server.kind === "missing" ? `; tried: ${server.tried.join("; ")}` : "";
      return `on Debian: apt-get install nats-server${tried}`;
    },
  },
  nginx: program("nginx"),
  openssl: program("openssl"),
  pocketsphinx: program("pocketsphinx_continuous", "pocketsphinx"),
  pocketsphinxModel: {
    name: "PocketSphinx's model of English",
    isThere: () => existsSync("/usr/share/pocketsphinx/model/en-us/en-us"),
    package: "pocketsphinx-en-us",
  },
  prometheus: program("prometheus"),
  pwsh: { ...program("pwsh"), mayLack: "Debian has no package of it" },
  python: program("python3", "python3-venv"),
  promtool: program("promtool", "prometheus"),
  tinyproxy: program("tinyproxy"),
  zsh: program("zsh"),
} as const satisfies Readonly<Record<string, Need>>;

/**
 * Returns whether the machine lacks something that a group of tests needs, for `describe.skipIf` and `test.skipIf`. If
 * so, a line that begins with "Skipped: " names the group and the reason; `scripts/run-tests.ts` repeats it at the end of
 * the run. Under `CI` the group then also has a failing test, unless the need has `mayLack` or `TESTS_MAY_LACK` names its
 * package: that variable holds a line "package: reason" for each package that `.ci/run` could not install.
 */
export function lacks(group: string, ...needs: readonly Need[]): boolean {
  const missing = needs.filter(({ isThere }) => !isThere());
  for (const need of missing) {
    const command = need.install ?? (need.package && `on Debian: apt-get install ${need.package}`);
    const hint = command === undefined ? "" : `; ${command}`;
    const excuse = need.mayLack ?? listedExcuse(need.package);
    const reason = excuse === undefined ? hint : ` (${excuse})`;
    process.stderr.write(`Skipped: ${group}: no ${need.name} here${reason}\n`);
    if (!process.env["CI"] || excuse !== undefined) continue;
    test(`${group}: this CI machine has ${need.name}`, () => {
      throw new Error(`no ${need.name} here${hint}; or give the reason in TESTS_MAY_LACK`);
    });
  }
  return missing.length > 0;
}

/** Returns the reason that `TESTS_MAY_LACK` gives for a package. */
function listedExcuse(name: string | undefined): string | undefined {
  const lines = (process.env["TESTS_MAY_LACK"] ?? "").split("\n").map((line) => line.split(": "));
  const reason = lines.find(([listed]) => name !== undefined && listed?.trim() === name)?.slice(1);
  return reason?.join(": ").trim() || undefined;
}
