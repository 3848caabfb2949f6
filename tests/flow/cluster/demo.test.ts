import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";

const ROOT = `${import.meta.dir}/../../..`;

/** The demo of a cluster in its own process, whose terminal the test writes to. */
class DemoRun {
  text = "";
  readonly #child = Bun.spawn([process.execPath, "src/demo/main.ts", "--servers", "2"], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", PORT: "0" },
    stdio: ["pipe", "pipe", "inherit"],
  });

  constructor() {
    void this.#read();
  }

  type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
    void this.#child.stdin.flush();
  }

  /** Resolves when the demo has printed this after everything that was printed before the call. */
  async says(what: string | RegExp): Promise<void> {
    const from = this.text.length;
    await eventually(() => this.text.slice(from).search(what) >= 0, `the demo says ${what}`, 30_000);
  }

  /** Asks it to end, and resolves to its exit code. */
  stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    return this.#child.exited;
  }

  get exited(): Promise<number> {
    return this.#child.exited;
  }

  async #read(): Promise<void> {
    for await (const bytes of this.#child.stdout) this.text += Buffer.from(bytes).toString();
  }
}

describe.skipIf(lacks("the demo of a cluster", PROGRAMS.nats))("demo --servers 2", () => {
  let demo: DemoRun;
  afterEach(() => demo.stop());

  test("starts a cluster with a load, kills and restarts a server and nats-server on request, and ends everything", async () => {
    demo = new DemoRun();
    await demo.says("Type here");
    const [first = "", second = ""] = [...demo.text.matchAll(/http:\S+(?=\/state)/g)].map(([url]) => url);
    const key = /API key +(\S+)/.exec(demo.text)?.[1] ?? "";
    const statusOf = (url: string): Promise<number> =>
      fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } }).then(
        ({ status }) => status,
        () => 0,
      );
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 200]);
    const acts = async (line: string, says: string): Promise<void> => {
      const said = demo.says(says);
      demo.type(line);
      await said;
    };
    await acts("kill 2", "s2 is down");
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 0]);
    await acts("stop 2", "s2 is down");
    await acts("start 2", "s2 is up");
    const fate = demo.says("under way at 'kill nats', none was harmed");
    await acts("kill nats", "nats is down");
    await acts("stop nats", "nats is down");
    await acts("start nats", "nats is up");
    await fate;
    await acts("load 0", "");
    await acts("status", "s1 up");
    expect(await statusOf(second)).toBe(200);
    demo.type("quit");
    expect(await demo.exited).toBe(0);
    expect([await statusOf(first), await statusOf(second)]).toEqual([0, 0]);
  }, 90_000);
});
