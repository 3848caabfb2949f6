import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { lacks, type Need } from "../support/lacks.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

// A real systemd of a user reads what `moorage worker install` writes. It runs in namespaces of its own, because the machine's
// first process may be another program.

const SYSTEMD = "/usr/lib/systemd/systemd";
const MACHINE: Need = {
  name: "systemd that root may start in a namespace",
  isThere: () =>
    process.getuid?.() === 0 &&
    [SYSTEMD, "/sys/fs/cgroup/systemd"].every((path) => existsSync(path)) &&
    Bun.which("unshare") !== null,
  mayLack: "containers have no systemd, and other machines another layout of control groups",
};
const TOP = join(import.meta.dir, "../..");
/** A name of a worker that is hard to quote. */
const NAME = 'a "b" 100% $HOME é \\x `id`';

const SCRIPT = String.raw`
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/user/0
chmod 700 /run/user/0
mkdir -p $GROUP && echo $$ > $GROUP/cgroup.procs
export XDG_RUNTIME_DIR=/run/user/0
${SYSTEMD} --user > "$HOME/systemd.log" 2>&1 &
manager=$!
for each in $(seq 100); do [ -S /run/user/0/systemd/private ] && break; sleep 0.1; done
DATA_DIR="$HOME/data" PORT=0 HOST=127.0.0.1 ADMIN_KEY=$KEY API_KEY=$KEY LOG_FORMAT=json "$BUN" "$TOP/src/cli/main.ts" serve > "$HOME/serve.log" 2>&1 &
server=$!
for each in $(seq 200); do url=$(grep -o 'http://127.0.0.1:[0-9]*' "$HOME/serve.log" | head -1); [ -n "$url" ] && break; sleep 0.1; done
cd "$TOP"
worker() { "$BUN" src/cli/main.ts worker "$@"; }
worker_of() { "$BUN" -e 'for (;;) { const r = await fetch(process.argv[1] + "/api/state", { headers: { authorization: "Bearer " + process.env.KEY } }); const [w] = (await r.json()).plugins.llm.workers; if (w) { console.log(JSON.stringify([w.name, w.id])); break; } await Bun.sleep(200); }' "$@"; }
token=$(ADMIN_KEY=$KEY "$BUN" src/cli/main.ts join-token create --server "$url" | grep -o 'mj_[0-9A-Za-z_]*' | head -1)
worker install llm --user --server "$url" --name "$NAME" --join "$token" && echo INSTALLED
echo TOKENS $(grep -c "$token" "$HOME/.config/moorage/moorage-worker.env")
echo NAME "$(worker_of "$url")"
pid=$(systemctl --user show --property=MainPID --value moorage-worker.service)
echo ARGS $(tr '\0' ' ' < /proc/$pid/cmdline)
kill -9 $pid
for each in $(seq 100); do next=$(systemctl --user show --property=MainPID --value moorage-worker.service); [ "$next" != 0 ] && [ "$next" != "$pid" ] && echo RESTARTED && break; sleep 0.1; done
echo AGAIN "$(worker_of "$url")"
worker uninstall --user && echo GONE
systemctl --user is-active moorage-worker.service
kill $server $manager
wait

`;

describe.skipIf(lacks("a worker as a service of a real systemd", MACHINE))("systemd", () => {
  test("starts what was installed, with its name as it was given, again after a kill, and forgets it when it is removed", async () => {
    const home = temporaryDirectory();
    const group = `/sys/fs/cgroup/systemd/moorage-test-${process.pid}`;
    const key = "a-key-that-nobody-else-has-1";
    const child = Bun.spawn(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "bash", "-c", SCRIPT], {
      env: { PATH: process.env["PATH"], HOME: home.path, KEY: key, BUN: process.execPath, TOP, NAME, GROUP: group },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 100_000,
    });
    const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    const lines = out.split("\n");
    expect(lines, err).toContain("INSTALLED");
    expect(lines).toContain("TOKENS 0");
    const [worker, again] = ["NAME ", "AGAIN "].map((word) =>
      lines.find((line) => line.startsWith(word))?.slice(word.length),
    );
    expect(worker).toStartWith(JSON.stringify([NAME]).slice(0, -1));
    // It has come back by the key of its own.
    expect(again).toBe(worker);
    expect(lines.find((line) => line.startsWith("ARGS"))).toEndWith("current.js worker llm");
    expect(out.slice(0, out.indexOf("ARGS")) + err).not.toContain(key);
    expect(lines).toContain("RESTARTED");
    expect(lines).toContain("GONE");
    expect(lines.some((line) => line === "inactive" || line === "unknown")).toBe(true);
    expect(existsSync(join(home.path, ".config/moorage/moorage-worker.env"))).toBe(false);
    home.remove();
    // A control group that nothing is in any more is removed like an empty directory.
    Bun.spawnSync(["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
  }, 110_000);
});
