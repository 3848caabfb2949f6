import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServiceMachine } from "../../src/service/places.ts";
import { runServiceCommand } from "../../src/service/service-command.ts";
import type { ServiceHost } from "../../src/service/service-host.ts";
import type { ServiceVerb } from "../../src/service/service-verb.ts";
import { runProgram } from "../../src/service/system-host.ts";

/** Programs that manage services, in place of which a machine of a test has fakes. */
const FAKED = ["systemctl", "loginctl", "launchctl", "schtasks", "chown"] as const;

/** A machine in a directory, whose service managers are programs that write down how they were started and do nothing else. */
export class ServiceRig {
  readonly home: string;
  readonly bin: string;
  readonly #calls: string;
  out = "";
  err = "";
  /** What a fake does beside writing down its words, as lines of a shell. */
  readonly #machine: ServiceMachine;

  constructor(directory: string, machine: Partial<ServiceMachine> = {}) {
    this.home = join(directory, "home of ann");
    this.bin = join(directory, "bin");
    this.#calls = join(directory, "calls");
    mkdirSync(this.home);
    mkdirSync(this.bin);
    writeFileSync(this.#calls, "");
    for (const name of FAKED) this.fake(name);
    this.#machine = { platform: "linux", env: {}, home: this.home, user: "ann", uid: 1000, ...machine };
  }

  /** Replaces a program by one that says that it is a fake, writes its words down and then runs these lines. */
  fake(name: string, lines = ""): void {
    const path = join(this.bin, name);
    const text = `#!/bin/sh\n# A fake.\necho "this is a fake ${name}" >&2\necho "${name} $*" >> '${this.#calls}'\n${lines}\n`;
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  }

  /** The command lines so far. */
  get calls(): readonly string[] {
    return readFileSync(this.#calls, "utf8").trim().split("\n");
  }

  /** Runs `moorage worker <verb>` on this machine. Returns the exit code. */
  async run(verb: ServiceVerb, argv: readonly string[], change: Partial<ServiceHost> = {}): Promise<number> {
    this.out = "";
    this.err = "";
    const env = { PATH: `${this.bin}:/usr/bin:/bin` };
    return runServiceCommand(verb, argv, {
      machine: this.#machine,
      hostname: "ann-pc",
      directory: this.home,
      version: "9.9.9",
      launcher: "moorage",
      isManaged: () => true,
      run: (words) => runProgram([join(this.bin, words[0]), ...words.slice(1)], env),
      pause: () => Promise.resolve(),
      out: (text) => {
        this.out += text;
      },
      err: (text) => {
        this.err += text;
      },
      program: { words: (base) => [join(base, "bun"), join(base, "current.js"), "worker"], place: async () => {} },
      ...change,
    });
  }
}
