import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import manifest from "../../package.json" with { type: "json" };
import { TARGETS } from "../../scripts/binaries/build-binary.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { CONFIG_FILE, EXIT_CONFIG } from "../../src/settings/read-settings.ts";
import { serverTable } from "../../src/settings/server-table.ts";
import { parseDuration, parseSize } from "../../src/settings/units.ts";
import { workerTable } from "../../src/worker/worker-table.ts";
import { defaultConfig } from "../support/default-config.ts";
import {
  type Compose,
  environmentOf,
  type Fly,
  filledIn,
  parseUnit,
  pathOf,
  read,
  serverOf,
  workerOf,
} from "../support/deploy-files.ts";

// No container engine, Fly.io or systemd runs these files here; they are parsed and compared with the code and each other.
// The proxies' files are run by tests/flow/behind-proxy.test.ts if the proxies are installed.

// The shapes are what these two files are held to below.
const compose = Bun.YAML.parse(await read("deploy/compose.yaml")) as Compose;
const monitoring = await read("deploy/monitoring/compose.yaml");
const fly = Bun.TOML.parse(await read("fly.toml")) as Fly;
const nginx = await read("deploy/nginx.conf");
const caddy = await read("deploy/Caddyfile");
const dockerfile = await read("Dockerfile");
const serverUnit = parseUnit(await read("deploy/systemd/moorage-server@.service"));
const workerUnit = parseUnit(await read("deploy/systemd/moorage-worker.service"));
const guide = await read("docs/deploy.md");

const keys = { API_KEY: "for-clients", CLIENT_KEY: "for-workers" };
const knownToServer = variablesOf(serverTable(KNOWN_PLUGINS));
const knownToWorker = variablesOf(workerTable("h"));
const defaults = defaultConfig();
const workerDrainMs = workerOf({ CLIENT_KEY: "k" }).drainTimeoutMs;
/** The drain delay of every file here. */
const DRAIN_DELAY_MS = 5000;
/** How long closing may take after the drain: twice `CLOSE_MS` of src/shutdown.ts. */
const CLOSING_MS = 4000;

function variablesOf(table: Readonly<Record<string, { readonly variable: string }>>): readonly string[] {
  return Object.values(table).map(({ variable }) => variable);
}

const seconds = (text: string | undefined): number => Number(text) * 1000;

describe("compose.yaml", () => {
  const { server, worker, ollama } = compose.services;

  test("gives both programs only settings that they know and accept", () => {
    expect(Object.keys(server.environment).filter((name) => !knownToServer.includes(name))).toEqual([]);
    expect(Object.keys(worker.environment).filter((name) => !knownToWorker.includes(name))).toEqual([]);
    expect(serverOf(filledIn(server.environment, keys)).apiKeys).toEqual([keys.API_KEY]);
    const settings = workerOf(filledIn(worker.environment, keys), worker.command?.slice(1));
    expect(settings.clientKeys).toEqual([keys.CLIENT_KEY]);
    expect(new URL(settings.backend ?? "").hostname).toBe("ollama");
    expect(new URL(settings.server).host).toBe(`server:${defaults.port}`);
  });

  test("runs both from files that are in the image", () => {
    expect(server.image).toBe(worker.image);
    expect(server.command).toBeUndefined();
    expect(worker.command?.[0]).toBe("worker");
  });

  test.each(["server", "worker"] as const)(
    "confines the %s, which has no capabilities and can write to /tmp and its volume only",
    (name) => {
      const service = compose.services[name];
      expect(service.read_only).toBe(true);
      expect(service.cap_drop).toEqual(["ALL"]);
      expect(service.security_opt).toEqual(["no-new-privileges:true"]);
      expect(service.tmpfs?.map((each) => each.split(":")[0])).toEqual(["/tmp"]);
      expect(service.volumes).toEqual(name === "server" ? ["data:/data"] : undefined);
    },
  );

  test("keeps the server's data in a volume that its user may write to", () => {
    expect(serverOf(filledIn(server.environment, keys)).dataDir).toBe("/data");
    expect(dockerfile).toContain("RUN mkdir -m 700 /data && chown 1000:1000 /data\n");
  });

  test("spools no more than fits into /tmp, which fits into the server's memory", () => {
    const config = serverOf(filledIn(server.environment, keys));
    const room = parseSize(/size=(\w+)/.exec(server.tmpfs?.[0] ?? "")?.[1] ?? "") ?? 0;
    expect(config.spoolBytes).toBeLessThan(room);
    expect(room).toBeLessThan(parseSize(server.mem_limit ?? "") ?? 0);
  });

  test("opens the server to this machine only, and Ollama to the worker only", () => {
    expect(server.ports).toEqual([`127.0.0.1:${defaults.port}:${defaults.port}`]);
    expect(worker.ports).toBeUndefined();
    expect(ollama.ports).toBeUndefined();
    expect(ollama.networks.filter((name) => server.networks.includes(name))).toEqual([]);
    expect(ollama.networks.filter((name) => !worker.networks.includes(name))).toEqual([]);
    expect(Object.keys(compose.networks).toSorted()).toEqual(worker.networks.toSorted());
  });

  test("keeps metrics off the published port", () => {
    const { metricsListener } = serverOf(filledIn(server.environment, keys));
    expect(metricsListener?.port).toBeGreaterThan(0);
    expect(metricsListener?.port).not.toBe(defaults.port);
  });

  test("waits longer than each drain takes before it kills", () => {
    const { drainDelayMs, drainTimeoutMs } = serverOf(filledIn(server.environment, keys));
    expect(drainDelayMs).toBe(DRAIN_DELAY_MS);
    const stopMs = drainDelayMs + drainTimeoutMs + CLOSING_MS;
    expect(parseDuration(server.stop_grace_period ?? "")).toBeGreaterThan(stopMs);
    expect(parseDuration(worker.stop_grace_period ?? "")).toBeGreaterThan(workerDrainMs + CLOSING_MS);
  });
});

describe("fly.toml", () => {
  test("gives the server only settings that it knows and accepts, and the address that follows from the app's name", () => {
    expect(Object.keys(fly.env).filter((name) => !knownToServer.includes(name))).toEqual([]);
    const config = serverOf({ ...fly.env, ...keys });
    expect(config.port).toBe(fly.http_service.internal_port);
    expect(config.publicUrl).toBe(`https://${fly.app}.fly.dev`);
    // Open to Fly.io's proxy with both keys, and to nobody without them.
    expect(config.host).toBe("0.0.0.0");
    expect(serverOf(fly.env).host).toBe("127.0.0.1");
  });

  test("scrapes metrics at their own port, off the public address", () => {
    expect(serverOf({ ...fly.env, ...keys }).metricsListener?.port).toBe(fly.metrics.port);
    expect(fly.metrics.port).not.toBe(fly.http_service.internal_port);
    expect(fly.metrics.path).toBe("/metrics");
  });

  test("keeps one machine running, counts connections, checks health, and drains before the kill", () => {
    const { http_service: service } = fly;
    expect(service.auto_stop_machines).toBe("off");
    expect(service.min_machines_running).toBe(1);
    expect(service.concurrency.type).toBe("connections");
    expect(service.concurrency.soft_limit).toBeLessThan(service.concurrency.hard_limit);
    expect(service.checks.map(({ path }) => path)).toEqual(["/healthz"]);
    expect(service.force_https).toBe(true);
    expect(fly.deploy.strategy).toBe("bluegreen");
    expect(fly.kill_signal).toBe("SIGTERM");
    const { drainDelayMs, drainTimeoutMs, startGraceMs } = serverOf({ ...fly.env, ...keys });
    expect(drainDelayMs + drainTimeoutMs + CLOSING_MS).toBeLessThan(fly.kill_timeout * 1000);
    // The proxy has noticed the failing check before the drain begins, even if it has just missed one.
    expect(drainDelayMs).toBe(DRAIN_DELAY_MS);
    expect(2 * (parseDuration(service.checks[0]?.interval ?? "") ?? 0)).toBeLessThan(drainDelayMs);
    expect(startGraceMs).toBeGreaterThan(defaults.startGraceMs);
  });
});

describe("the forms with DATA_DIR, which are comments", () => {
  test("fit together in fly.toml: the directory is the volume, and the strategy is one for machines with volumes", async () => {
    const text = (await read("fly.toml"))
      .replace('strategy = "bluegreen"\n', "\n")
      .replaceAll(/^( *)# (strategy =|DATA_DIR =|\[mounts\]| +source =| +destination =)/gm, "$1$2");
    const other = Bun.TOML.parse(text) as Fly & { readonly mounts: { readonly destination: string } }; // Held by the assertions.
    expect(other.deploy.strategy).toBe("rolling");
    expect(other.mounts.destination).toBe("/data");
    expect(serverOf({ ...other.env, ...keys }).dataDir).toBe(other.mounts.destination);
  });

  test("fit together in the unit: the directory is the state directory of the service, for its user alone", async () => {
    const text = (await read("deploy/systemd/moorage-server@.service")).replaceAll(/^#(?=StateDir|Environment=)/gm, "");
    expect(text).toContain("\nStateDirectory=moorage\nStateDirectoryMode=0700\nEnvironment=DATA_DIR=%S/moorage\n");
    expect(environmentOf(serverUnit)["DATA_DIR"]).toBeUndefined();
  });
});

describe("systemd units", () => {
  test("give the programs only settings that they know and accept, on ports of their own", () => {
    const env = environmentOf(serverUnit);
    expect(Object.keys(env).filter((name) => !knownToServer.includes(name))).toEqual([]);
    for (const port of [8080, 8081]) {
      const config = serverOf({ ...environmentOf(serverUnit, port), ...keys });
      expect(config).toMatchObject({ port, host: "127.0.0.1", drainDelayMs: DRAIN_DELAY_MS });
      expect(config.metricsListener).toEqual({ host: "127.0.0.1", port: 10_000 + port });
    }
    const more = ["BUN_CONFIG_MAX_HTTP_REQUESTS", "HOME"];
    const worker = environmentOf(workerUnit);
    expect(
      Object.keys(worker)
        .filter((name) => !knownToWorker.includes(name))
        .toSorted(),
    ).toEqual(more);
    // As `bun run worker` has it.
    expect(manifest.scripts.worker).toStartWith(`${more[0]}=${worker[more[0] ?? ""]} `);
  });

  test("start the binary with the command of each", () => {
    const commands = [serverUnit, workerUnit].map((unit) => unit.get("ExecStart")?.[0]?.split(" ") ?? []);
    expect(commands.map((words) => words.slice(0, 2).join(" "))).toEqual([
      "/usr/local/bin/moorage serve",
      "/usr/local/bin/moorage worker",
    ]);
    expect(workerOf({ CLIENT_KEY: "k" }, commands[1]?.slice(2)).kinds).toEqual(["llm"]);
  });

  test("reload the server's keys by SIGHUP", () => {
    expect(serverUnit.get("ExecReload")).toEqual(["/bin/kill -HUP $MAINPID"]);
  });

  test.each([
    ["server", serverUnit, DRAIN_DELAY_MS + defaults.drainTimeoutMs],
    ["worker", workerUnit, workerDrainMs],
  ] as const)("let the %s drain, and restart it unless its configuration is wrong", (_, unit, drainMs) => {
    expect(seconds(unit.get("TimeoutStopSec")?.[0])).toBeGreaterThan(drainMs + CLOSING_MS);
    expect(unit.get("Restart")).toEqual(["always"]);
    expect(unit.get("RestartPreventExitStatus")).toEqual([String(EXIT_CONFIG)]);
  });

  test.each([
    ["server", serverUnit],
    ["worker", workerUnit],
  ] as const)("confine the %s", (_, unit) => {
    for (const [key, value] of [
      ["DynamicUser", "yes"],
      ["NoNewPrivileges", "yes"],
      ["CapabilityBoundingSet", ""],
      ["ProtectSystem", "strict"],
      ["ProtectHome", "yes"],
      ["PrivateTmp", "yes"],
      ["PrivateDevices", "yes"],
      ["RestrictNamespaces", "yes"],
      ["SystemCallArchitectures", "native"],
    ] as const) {
      expect([key, unit.get(key)]).toEqual([key, [value]]);
    }
    // A JavaScript engine compiles while it runs.
    expect(unit.has("MemoryDenyWriteExecute")).toBe(false);
  });
});

describe("the proxies' files", () => {
  test("name the server's port, and for Caddy also that of its successor", () => {
    expect(nginx).toContain(`server 127.0.0.1:${defaults.port};`);
    expect(caddy).toContain(`reverse_proxy 127.0.0.1:${defaults.port} 127.0.0.1:${defaults.port + 1} {`);
    expect(caddy).toContain("health_uri /healthz");
    const interval = parseDuration(/health_interval (\w+)/.exec(caddy)?.[1] ?? "") ?? Number.NaN;
    expect(2 * interval).toBeLessThan(DRAIN_DELAY_MS);
  });

  test.each(["X-User-Roles", "Fly-Client-IP"])("drop %s, which the server would trust from a proxy", (header) => {
    expect(nginx).toContain(`proxy_set_header ${header} "";`);
    expect(caddy).toContain(`header_up -${header}\n`);
  });

  test("make nginx wait as long as the server may be silent, and as long as it tolerates slow clients", () => {
    const waits = [...nginx.matchAll(/^ +(\w+) (\d+h);$/gm)].map(([, name, time = ""]) => [name, parseDuration(time)]);
    expect(waits.map(([name]) => name)).toEqual([
      "client_body_timeout",
      "send_timeout",
      "proxy_read_timeout",
      "proxy_send_timeout",
    ]);
    const { asrRequestTimeoutMs, requestTimeoutMs, clientStallTimeoutMs } = defaults;
    for (const [, ms] of waits)
      expect(ms).toBeGreaterThanOrEqual(Math.max(asrRequestTimeoutMs, requestTimeoutMs, clientStallTimeoutMs));
  });

  test("give both proxies the same waits, buffers and limits", () => {
    for (const line of ["proxy_buffering off;", "proxy_request_buffering off;", "client_max_body_size 0;"])
      expect(nginx).toContain(line);
    // It would continue a request whose client has disconnected.
    expect(caddy).not.toMatch(/^\s*flush_interval/m);
  });
});

describe("the image", () => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = ""]) => names.split(" "));

  test("is built only from files that exist, which are those that .dockerignore lets through", async () => {
    expect(copied.filter((name) => !existsSync(pathOf(name)))).toEqual([]);
    const through = [...(await read(".dockerignore")).matchAll(/^!(.+)$/gm)].map(([, name]) => name);
    expect(through.toSorted()).toEqual([...new Set(copied)].toSorted());
  });

  test("runs the server as a numbered user without rights, on the port that it exposes", () => {
    expect(dockerfile).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(dockerfile).toContain('ENTRYPOINT ["bun", "src/cli/main.ts"]');
    expect(dockerfile).toContain('CMD ["serve"]');
    expect(existsSync(pathOf("src/cli/main.ts"))).toBe(true);
    expect(dockerfile).toContain(`EXPOSE ${defaults.port}\n`);
    expect(dockerfile).toContain("STOPSIGNAL SIGTERM");
  });
});

describe("monitoring/compose.yaml", () => {
  const added = Bun.YAML.parse(monitoring) as {
    readonly services: Readonly<
      Record<string, { networks: readonly string[]; ports: readonly string[]; configs: readonly { source: string }[] }>
    >;
    readonly configs: Readonly<Record<string, { readonly file?: string; readonly content?: string }>>;
  };

  test.each(Object.entries(added.services))(
    "runs %s beside the server, open to this machine only",
    (_name, service) => {
      expect(service.networks.filter((name) => !compose.services.server.networks.includes(name))).toEqual([]);
      expect(service.ports.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
      expect(service.configs.filter(({ source }) => !Object.hasOwn(added.configs, source))).toEqual([]);
    },
  );

  test("mounts files that exist, and scrapes the server's port for metrics", () => {
    const files = Object.values(added.configs).flatMap(({ file }) => file ?? []);
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !existsSync(pathOf(`deploy/${file}`)))).toEqual([]);
    const port = compose.services.server.environment["METRICS_PORT"];
    expect(added.configs["prometheus"]?.content).toContain(`"server:${port}"`);
  });
});

describe("docs/deploy.md", () => {
  test("links to every file in deploy/, and to no file that is missing", () => {
    const links = [...guide.matchAll(/\]\(\.\.\/(deploy\/[^)]+)\)/g)].map(([, path = ""]) => path);
    expect(links.filter((path) => !existsSync(pathOf(path)))).toEqual([]);
    const ours = ["compose.yaml", "nginx.conf", "Caddyfile"].map((name) => `deploy/${name}`);
    const units = ["moorage-server@", "moorage-worker"].map((name) => `deploy/systemd/${name}.service`);
    expect([...ours, ...units].filter((path) => !links.includes(path))).toEqual([]);
  });

  test("names only settings that exist", () => {
    const known = [...knownToServer, ...knownToWorker, CONFIG_FILE.variable, "BUN_CONFIG_MAX_HTTP_REQUESTS"];
    const named = [...guide.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(([name]) => name);
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });
});

test("binaries are built for three systems on two architectures, into a folder that git ignores", async () => {
  const wanted = ["linux", "darwin", "windows"].flatMap((system) => [`${system}-x64`, `${system}-arm64`]);
  expect([...TARGETS]).toEqual(wanted as (typeof TARGETS)[number][]); // The same names, as text.
  expect(await read(".gitignore")).toContain("\ndist/\n");
});

test("git ignores the keys and tables that the commands of docs/teams.md write into a checkout", async () => {
  const page = await read("docs/teams.md");
  const written = [...page.matchAll(/> ([\w-]+\.(?:key|token|csv))\b|DATA_DIR=\$PWD\/([\w-]+)/g)];
  const names = new Set(written.flatMap(([, file, directory]) => file ?? directory ?? []));
  const ignored = (await read(".gitignore")).split("\n").map((line) => new Bun.Glob(line.replace(/^\/|\/$/g, "")));
  expect(names.size).toBeGreaterThan(5);
  expect([...names].filter((name) => !ignored.some((each) => each.match(name)))).toEqual([]);
});
