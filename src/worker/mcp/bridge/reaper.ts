import { type ChildProcess, spawn } from "node:child_process";

/**
 * Reads `+ group` and `- group` lines. Its input ends with the worker, however that ended. The groups that are left then
 * have two seconds to notice the end of their own input, as long as a worker that stops gives them, and are killed.
 */
const SCRIPT = `groups=
while read -r change group; do
  left=
  for each in $groups; do [ "$each" = "$group" ] || left="$left $each"; done
  groups=$left
  [ "$change" = + ] && groups="$groups $group"
done
[ -z "$groups" ] && exit
sleep 2
for each in $groups; do kill -s KILL -- "-$each"; done`;

/**
 * Kills the process groups of a worker that was killed itself, by `kill -9` or for lack of memory: a worker can no longer do
 * so, and some programs ignore the end of their input. It is a shell that waits for the worker's end, started with the first
 * group.
 */
export class Reaper {
  readonly #groups = new Set<number>();
  readonly #path: string;
  #shell: ChildProcess | undefined;
  #isClosed = false;

  /** `path` is the `PATH` for the shell, which runs `sleep`. */
  constructor(path = "/usr/bin:/bin") {
    this.#path = path;
  }

  /** Watches over a process group. The returned function is called when the group has ended. */
  watch(group: number): () => void {
    this.#groups.add(group);
    if (this.#shell) this.#tell(`+ ${group}`);
    else this.#start();
    return () => {
      if (this.#groups.delete(group)) this.#tell(`- ${group}`);
    };
  }

  /** Lets the shell end, which kills the groups that are still watched. */
  close(): void {
    this.#isClosed = true;
    this.#shell?.stdin?.end();
    this.#shell = undefined;
  }

  #start(): void {
    // Windows has no process groups.
    if (process.platform === "win32" || this.#isClosed) return;
    try {
      const shell = spawn("/bin/sh", ["-c", SCRIPT, "moorage-reaper"], {
        // Its own group, so that a signal to the worker's group leaves it alone.
        detached: true,
        env: { PATH: this.#path },
        stdio: ["pipe", "ignore", "ignore"],
      });
      const forget = (): void => {
        if (this.#shell === shell) this.#shell = undefined;
      };
      // Without a shell there is no reaper, and with the next group another try.
      shell.on("error", forget);
      shell.on("exit", forget);
      shell.stdin.on("error", forget);
      shell.unref();
      this.#shell = shell;
      for (const group of this.#groups) this.#tell(`+ ${group}`);
    } catch {
      // The system is out of processes or files.
    }
  }

  #tell(line: string): void {
    this.#shell?.stdin?.write(`${line}\n`);
  }
}
