import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { packageTarball } from "../../src/packing/tarball.ts";
import { VERSION } from "../../src/system/version.ts";
import { eventually } from "../support/eventually.ts";
import { lacks, type Need } from "../support/lacks.ts";
import { ProgramRun } from "../support/program-run.ts";
import { startBackend } from "../support/test-worker.ts";

/** `bun run` puts a folder before the others in which `node` is Bun. */
const FOLDERS = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.includes("bun-node"));
const found = (name: string): string | null => Bun.which(name, { PATH: FOLDERS.join(delimiter) });

const NPM: Need = {
  name: "Node with npm",
  isThere: () => ["node", "npm", "npx"].every((name) => found(name) !== null),
  install: "on Debian: apt-get install nodejs npm",
};
/** npm fetches Bun, which has 35 MB, and other tests use the machine as well. */
const INSTALL_MS = 240_000;

describe.skipIf(lacks("the npm package", NPM))("the npm package, with Node alone and an empty home,", () => {
  const folder = mkdtempSync(join(tmpdir(), "moorage-package-"));
  /** npx runs an absolute path as a program. The working directory is a folder below. */
  const tarball = `../moorage-${VERSION}.tgz`;
  const keys = { API_KEY: "package-api-key", CLIENT_KEY: "package-client-key" };
  const running: ProgramRun[] = [];
  let bytes: Uint8Array;

  beforeAll(async () => {
    ({ bytes } = await packageTarball());
    await Bun.write(join(folder, "empty", tarball), bytes);
    await Bun.write(join(folder, "empty/.env"), "QUEUE_SIZE=many\nMAX_CONCURRENCY=none\n");
    for (const name of ["node", "npm", "npx", "sh"]) symlinkSync(found(name) ?? "/bin/sh", join(folder, name));
  }, INSTALL_MS);
  afterAll(async () => {
    for (const run of running.reverse()) await run.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** npm's own settings, such as a proxy, come from the machine; all else is new. */
  function environment(): Record<string, string> {
    const kept = Object.entries(process.env).filter(([name]) => /^npm_config_|_proxy$|_ca|_certs?$/i.test(name));
    const settings = join(homedir(), ".npmrc");
    return {
      ...Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
      ...(existsSync(settings) && { npm_config_userconfig: settings }),
      npm_config_update_notifier: "false",
      npm_config_cache: join(folder, "npm-cache"),
      PATH: folder,
      HOME: folder,
    };
  }

  function npx(spec: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ProgramRun {
    const run = new ProgramRun(["npx", "-y", spec, ...args], { ...environment(), ...env }, join(folder, "empty"));
    running.push(run);
    return run;
  }

  test(
    "starts by npx, with the exit codes of the program",
    async () => {
      const version = npx(tarball, ["--version"]);
      expect(await version.exited).toBe(0);
      expect(await version.output).toBe(`${VERSION}\n`);
      const wrong = npx(tarball, ["serve", "--port", "70000"]);
      expect(await wrong.exited).toBe(78);
      const help = npx(tarball, []);
      expect(await help.output).toContain(`Usage: npx -y ${tarball} <command> [flags]\n`);
    },
    INSTALL_MS,
  );

  test(
    "serves the pages and this package, from which a worker starts that answers, and ends with npx",
    async () => {
      const server = npx(tarball, ["serve"], { ...keys, PORT: "0", HOST: "127.0.0.1" });
      const url = String((await event(server, "server.started"))["url"]);
      expect(await (await fetch(`${url}/healthz`)).text()).toContain("ok");
      const authorization = `Bearer ${keys.API_KEY}`;
      const page = await fetch(`${url}/state`, { headers: { authorization } });
      const [script = ""] = /\/state\/assets\/[0-9a-f]+\/app\.ts/.exec(await page.text()) ?? [];
      expect((await fetch(url + script)).status).toBe(200);
      expect((await fetch(`${url}/api/client/swagger-ui-bundle.js`)).status).toBe(200);
      const own = `${url}/join/moorage-${VERSION}.tgz`;
      const handed = await fetch(own);
      expect(handed.status).toBe(200);
      expect(Bun.SHA256.hash(await handed.bytes(), "hex")).toBe(Bun.SHA256.hash(bytes, "hex"));

      const backend = startBackend(() => Response.json({ choices: [{ message: { content: "ahoy" } }] }));
      const worker = npx(
        own,
        ["worker", "llm", "--server", url, "--backend", backend.url, "--max-concurrency", "1000"],
        {
          CLIENT_KEY: keys.CLIENT_KEY,
        },
      );
      await event(worker, "worker.started");
      // Otherwise the first event is that Bun runs only 256 fetches at once, which the launcher changes.
      expect(await worker.lines.take("the next event", INSTALL_MS)).not.toMatchObject({ event: "worker.limited" });
      await eventually(() => hasModel(url, authorization), "the worker is connected", INSTALL_MS);
      const answer = await fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization, "content-type": "application/json" },
        body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "?" }] }),
      });
      expect(await answer.text()).toContain("ahoy");

      await worker.stop();
      await backend.stop();
      // npx ends at once, and the shell that it has started does not pass the signal on. The program notices.
      await server.stop();
      const port = Number(new URL(url).port);
      await eventually(async () => !(await isOpen(port)), "the server has ended", 30_000);
    },
    INSTALL_MS,
  );
});

function event(run: ProgramRun, name: string): Promise<Readonly<Record<string, unknown>>> {
  return run.lines.takeUntil((line) => line["event"] === name, name, INSTALL_MS);
}

async function hasModel(url: string, authorization: string): Promise<boolean> {
  const answer = await fetch(`${url}/v1/models`, { headers: { authorization } });
  return (await answer.text()).includes('"id":"m"');
}

async function isOpen(port: number): Promise<boolean> {
  try {
    await fetch(`http://127.0.0.1:${port}/healthz`);
    return true;
  } catch {
    return false;
  }
}
