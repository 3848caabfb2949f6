import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceRig } from "../../support/service-rig.ts";

// The service managers are fakes that write down their words. tests/real/systemd.test.ts has a real one.

const TOKEN = `mj_${"a".repeat(12)}_${"B".repeat(32)}_${"c".repeat(6)}`;
const SERVER = "https://moorage.example";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "moorage-service-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe("a worker as a unit of a user's systemd", () => {
  const argv = ["llm", "--server", SERVER, "--client-key", "secret-key-1", "--name", 'a "b" %h'];

  test("is written, shown without its key, started, and removed again", async () => {
    const rig = new ServiceRig(directory);
    expect(await rig.run("install", argv)).toBe(0);
    const unit = join(rig.home, ".config/systemd/user/moorage-worker.service");
    const settings = join(rig.home, ".config/moorage/moorage-worker.env");
    expect(modeOf(settings)).toBe(0o600);
    expect(readFileSync(settings, "utf8")).toContain('CLIENT_KEY="secret-key-1"\nCLIENT_NAME="a \\"b\\" %h"\n');
    expect(readFileSync(unit, "utf8")).not.toContain("secret-key-1");
    expect(rig.out).toContain(unit);
    expect(rig.out + rig.err).not.toContain("secret-key-1");
    expect(rig.out).toContain("journalctl --user-unit moorage-worker.service --follow");
    expect(rig.out).toContain("sudo loginctl enable-linger ann");
    expect(rig.calls).toEqual([
      "systemctl --user daemon-reload",
      "systemctl --user enable moorage-worker.service",
      "systemctl --user restart moorage-worker.service",
      "systemctl --user is-active --quiet moorage-worker.service",
      "loginctl show-user ann --property=Linger --value",
    ]);

    expect(await rig.run("status", [])).toBe(0);
    expect(rig.out).toContain("this is a fake systemctl");

    expect(await rig.run("uninstall", [])).toBe(0);
    expect(existsSync(unit)).toBe(false);
    expect(existsSync(settings)).toBe(false);
    expect(rig.calls).toContain("systemctl --user disable --now moorage-worker.service");
    expect(await rig.run("uninstall", [])).toBe(1);
  });

  test("is only shown by --dry-run", async () => {
    const rig = new ServiceRig(directory);
    expect(await rig.run("install", [...argv, "--dry-run"], { isManaged: () => false })).toBe(0);
    expect(rig.out).toContain("[Install]");
    expect(rig.out).not.toContain("secret-key-1");
    expect(readdirSync(rig.home)).toEqual([]);
    expect(rig.calls).toEqual([""]);
  });

  test("loses its join token once the worker has a key of its own", async () => {
    const rig = new ServiceRig(directory);
    const state = join(directory, "state.json");
    const kept = { version: 2, servers: { [SERVER]: { worker_id: "w", token_id: "a".repeat(12), credential: "own" } } };
    rig.fake("systemctl", `case "$*" in *restart*) echo '${JSON.stringify(kept)}' > '${state}';; esac`);
    expect(await rig.run("install", ["llm", "--server", SERVER, "--join", TOKEN, "--state-file", state])).toBe(0);
    const settings = readFileSync(join(rig.home, ".config/moorage/moorage-worker.env"), "utf8");
    expect(settings).toContain(`STATE_FILE="${state}"`);
    expect(settings).not.toContain("JOIN_TOKEN");
    expect(rig.out).toContain("The worker has joined.");
    expect(rig.out + rig.err).not.toContain(TOKEN);
  });

  test("keeps its join token, and says so, while the server has not answered it", async () => {
    const rig = new ServiceRig(directory);
    expect(
      await rig.run("install", ["llm", "--server", SERVER, "--join", TOKEN, "--state-file", join(directory, "s")]),
    ).toBe(1);
    expect(rig.err).toContain("has not joined yet");
    const settings = join(rig.home, ".config/moorage/moorage-worker.env");
    expect(readFileSync(settings, "utf8")).toContain(`JOIN_TOKEN="${TOKEN}"`);
    expect(modeOf(settings)).toBe(0o600);
  });

  test("that does not start is told with where its log is", async () => {
    const rig = new ServiceRig(directory);
    rig.fake("systemctl", 'case "$*" in *is-active*) exit 3;; esac');
    expect(await rig.run("install", argv)).toBe(1);
    expect(rig.err).toContain("journalctl --user-unit moorage-worker.service");
  });

  test("that systemd refuses is told in systemd's words", async () => {
    const rig = new ServiceRig(directory);
    rig.fake("systemctl", 'case "$*" in *enable*) echo "Unit is masked." >&2; exit 1;; esac');
    expect(await rig.run("install", argv)).toBe(1);
    expect(rig.err).toContain("Unit is masked.");
  });

  test("has a name, a state and files of its own beside another one", async () => {
    const rig = new ServiceRig(directory);
    expect(await rig.run("install", argv)).toBe(0);
    expect(await rig.run("install", ["asr", "--server", SERVER, "--service", "speech"])).toBe(0);
    expect(readFileSync(join(rig.home, ".config/moorage/speech.env"), "utf8")).toMatch(/STATE_FILE=".*\/speech\.json"/);
    expect(await rig.run("uninstall", ["--service", "speech"])).toBe(0);
    expect(existsSync(join(rig.home, ".config/moorage/moorage-worker.env"))).toBe(true);
  });

  test("gets absolute paths, the directory for its command, and the variables of its servers file", async () => {
    const rig = new ServiceRig(directory, {
      env: { GITHUB_TOKEN: "gh-secret", PATH: "/usr/bin:/x/_npx/1/node_modules/.bin" },
    });
    await Bun.write(
      join(rig.home, "mcp.yaml"),
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the file
      "servers:\n  git:\n    command: ['cat']\n    env: { T: '${GITHUB_TOKEN}' }\n",
    );
    const inHome = process.cwd();
    process.chdir(rig.home);
    try {
      expect(await rig.run("install", ["mcp", "--server", SERVER, "--servers", "mcp.yaml"])).toBe(0);
    } finally {
      process.chdir(inHome);
    }
    const settings = readFileSync(join(rig.home, ".config/moorage/moorage-worker.env"), "utf8");
    expect(settings).toContain(`MCP_SERVERS="${rig.home}/mcp.yaml"`);
    expect(settings).toContain('GITHUB_TOKEN="gh-secret"');
    expect(settings).toContain('PATH="/usr/bin"\n');
    expect(rig.out).not.toContain("gh-secret");
  });
});

describe("what cannot be a service", () => {
  test.each([
    [["llm", "--user", "--system"], "not both"],
    [["llm", "--system"], "sudo"],
    [["llm", "--run-as", "ann"], "--system"],
    [["llm", "--service", "../x"], "--service takes"],
    [["llm", "--service"], "needs a value"],
    [["--max-concurrency", "0", "llm"], "max_concurrency"],
    [["--server", SERVER], "kind"],
  ])("%j is refused, and nothing is written", async (argv, reason) => {
    const rig = new ServiceRig(directory);
    expect(await rig.run("install", argv)).toBe(78);
    expect(rig.err).toContain(reason);
    expect(readdirSync(rig.home)).toEqual([]);
  });

  test("nothing is installed where systemd does not run", async () => {
    const rig = new ServiceRig(directory);
    expect(await rig.run("install", ["llm"], { isManaged: () => false })).toBe(78);
    expect(rig.err).toContain("systemd does not run here");
  });
});

test("launchd gets the job again until the one before it has ended", async () => {
  const rig = new ServiceRig(directory, { platform: "darwin" });
  const tried = join(directory, "tried");
  rig.fake(
    "launchctl",
    `case "$1" in bootstrap) [ -e '${tried}' ] || { touch '${tried}'; exit 5; };; bootout) exit 3;; esac`,
  );
  expect(await rig.run("install", ["llm", "--server", SERVER, "--client-key", "secret-key-1"])).toBe(0);
  const plist = join(rig.home, "Library/LaunchAgents/moorage-worker.plist");
  expect(rig.calls.slice(0, 2)).toEqual([
    "launchctl bootout gui/1000/moorage-worker",
    "launchctl enable gui/1000/moorage-worker",
  ]);
  expect(rig.calls.slice(2)).toEqual(Array.from({ length: 2 }, () => `launchctl bootstrap gui/1000 ${plist}`));
  const settings = join(rig.home, "Library/Application Support/moorage/moorage-worker/settings.yaml");
  expect(modeOf(settings)).toBe(0o600);
  expect(readFileSync(settings, "utf8")).toContain('client_key: "secret-key-1"');
  expect(readFileSync(settings, "utf8")).toContain("log_file: ");
  expect(await rig.run("uninstall", [])).toBe(0);
  expect(existsSync(plist)).toBe(false);
});
