import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./proxy.ts";

/** A series in the answer to a query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  /** The time in seconds, and the value as text, which may be `NaN`. */
  readonly value: readonly [number, string];
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result?: readonly Sample[];
    readonly groups?: readonly { readonly rules: readonly { readonly name: string; readonly health: string }[] }[];
  };
}

/** A real Prometheus that scrapes a server every second and evaluates the rules. Its data are in a temporary folder. */
export class Prometheus {
  readonly #url: string;
  readonly #folder: string;
  readonly #program: Bun.Subprocess<"ignore", "ignore", "pipe">;

  private constructor(port: number, folder: string, program: Bun.Subprocess<"ignore", "ignore", "pipe">) {
    this.#url = `http://127.0.0.1:${port}`;
    this.#folder = folder;
    this.#program = program;
  }

  /** Starts Prometheus. Resolves when it has scraped `target`, which is `host:port`. */
  static async start(target: string, rulesFile: string): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), "moorage-prometheus-"));
    const port = await freePort();
    // JSON is also valid YAML.
    const config = {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [rulesFile],
      scrape_configs: [{ job_name: "moorage", static_configs: [{ targets: [target] }] }],
    };
    await Bun.write(join(folder, "prometheus.yaml"), JSON.stringify(config));
    const flags = [`--config.file=${folder}/prometheus.yaml`, `--storage.tsdb.path=${folder}/data`];
    const program = Bun.spawn(["prometheus", ...flags, `--web.listen-address=127.0.0.1:${port}`], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const prometheus = new Prometheus(port, folder, program);
    try {
      await eventually(() => prometheus.#hasScraped(), "Prometheus has scraped the server", 30_000);
    } catch (error) {
      await prometheus.stop();
      throw new Error(`Prometheus said: ${(await program.stderr.text()).slice(-2000)}`, { cause: error });
    }
    return prometheus;
  }

  /** Runs a query. Rejects for an invalid one. */
  async query(expr: string): Promise<readonly Sample[]> {
    const { status, error, data } = await this.#ask(`/api/v1/query?query=${encodeURIComponent(expr)}`);
    if (status !== "success") throw new Error(`${expr}: ${error}`);
    return data.result ?? [];
  }

  /** Returns the health of each rule by name: `ok`, `err`, or `unknown` before the first evaluation. */
  async rules(): Promise<ReadonlyMap<string, string>> {
    const { data } = await this.#ask("/api/v1/rules");
    return new Map((data.groups ?? []).flatMap(({ rules }) => rules.map(({ name, health }) => [name, health])));
  }

  async stop(): Promise<void> {
    this.#program.kill("SIGTERM");
    await this.#program.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #hasScraped(): Promise<boolean> {
    if (this.#program.exitCode !== null) throw new Error("Prometheus ended");
    try {
      return (await this.query("moorage_build_info")).length > 0;
    } catch {
      return false; // Prometheus does not listen yet.
    }
  }

  async #ask(path: string): Promise<Answer> {
    return (await (await fetch(`${this.#url}${path}`)).json()) as Answer; // the parts of Prometheus' format that are read here
  }
}
