import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { findNatsServer } from "../../src/demo/nats/find-nats-server.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { serverTable } from "../../src/settings/server-table.ts";
import { parseDuration, parseSize } from "../../src/settings/units.ts";
import { defaultConfig } from "../support/default-config.ts";
import {
  environmentOf,
  type Fly,
  filledIn,
  parseUnit,
  pathOf,
  read,
  type Service,
  serverOf,
} from "../support/deploy-files.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

// No container engine, Fly.io or systemd runs these files here; they are parsed and compared with the code and each other.
// nats-server and Caddy check their own, and tests/flow/cluster/deployed.test.ts runs them.

// The shapes are what these files are held to below.
const compose = Bun.YAML.parse(await read("deploy/cluster/compose.yaml")) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
};
const single = Bun.YAML.parse(await read("deploy/compose.yaml")) as typeof compose;
const fly = Bun.TOML.parse(await read("deploy/cluster/fly/fly.toml")) as Fly & {
  readonly deploy: { readonly max_unavailable: number };
};
const natsFly = Bun.TOML.parse(await read("deploy/cluster/fly/nats.toml")) as Readonly<Record<string, unknown>> & {
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly { readonly local_path: string; readonly guest_path: string }[];
  readonly mounts: { readonly destination: string };
  readonly processes: Readonly<Record<string, string>>;
};
const caddy = await read("deploy/cluster/Caddyfile");
const nats = await read("deploy/cluster/nats.conf");
const unit = parseUnit(await read("deploy/systemd/moorage-server@.service"));
const natsUnit = parseUnit(await read("deploy/cluster/systemd/moorage-nats.service"));

const keys = { API_KEY: "for-clients", CLIENT_KEY: "for-workers", NATS_PASS: "n-for-servers" };
const knownToServer = Object.values(serverTable(KNOWN_PLUGINS)).map(({ variable }) => variable);
const defaults = defaultConfig();
const servers = Object.entries(compose.services).filter(([name]) => name.startsWith("server"));
/** How long closing may take after the drain: twice `CLOSE_MS` of src/shutdown.ts. */
const CLOSING_MS = 4000;

describe("cluster/compose.yaml", () => {
  test("gives the servers only settings that they know and accept, ids of their own, and one NATS", () => {
    expect(servers.length).toBe(3);
    for (const [name, { environment }] of servers) {
      expect(Object.keys(environment).filter((each) => !knownToServer.includes(each))).toEqual([]);
      const config = serverOf(filledIn(environment, keys));
      expect(config).toMatchObject({ serverId: name, clusterAddress: { host: name, port: 8088 }, dataDir: undefined });
      expect(config.clusterListener.port).toBe(8088);
      expect(config.natsServers).toMatchObject([{ host: "nats", user: "moorage", password: keys.NATS_PASS }]);
    }
  });

  test("confines each container, as the file for one server does", () => {
    const rule = single.services["server"];
    for (const [name, service] of Object.entries(compose.services)) {
      const { read_only, cap_drop, security_opt } = service;
      expect({ name, read_only, cap_drop, security_opt }).toEqual({
        name,
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: rule?.security_opt ?? [],
      });
    }
    for (const [, { tmpfs, volumes }] of servers)
      expect({ tmpfs, volumes }).toEqual({ tmpfs: rule?.tmpfs, volumes: undefined });
  });

  test("opens Caddy alone, to this machine only, and NATS to the servers alone", () => {
    const open = Object.entries(compose.services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => [name, port]),
    );
    expect(open.map(([name]) => name)).toEqual(["caddy", "caddy"]);
    for (const [, port] of open) expect(port).toMatch(/^\$\{BIND:-127\.0\.0\.1\}:/);
    const beside = Object.entries(compose.services).filter(([, { networks }]) => networks.includes("back"));
    expect(beside.map(([name]) => name).toSorted()).toEqual([...servers.map(([name]) => name), "nats"].toSorted());
    expect(compose.services["nats"]?.networks).toEqual(["back"]);
    expect(compose.networks["back"]?.internal).toBe(true);
  });

  test("waits longer than each drain takes before it kills, and spools no more than fits", () => {
    for (const [, { environment, stop_grace_period, tmpfs, mem_limit }] of servers) {
      const { drainDelayMs, drainTimeoutMs, spoolBytes } = serverOf(filledIn(environment, keys));
      expect(parseDuration(stop_grace_period ?? "")).toBeGreaterThan(drainDelayMs + drainTimeoutMs + CLOSING_MS);
      const room = parseSize(/size=(\w+)/.exec(tmpfs?.[0] ?? "")?.[1] ?? "") ?? 0;
      expect(spoolBytes).toBeLessThan(room);
      expect(room).toBeLessThan(parseSize(mem_limit ?? "") ?? 0);
    }
  });

  test("mounts files that exist", () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes);
    const files = mounted.filter((each) => each.startsWith("./")).map((each) => each.split(":")[0] ?? "");
    expect(files.length).toBe(2);
    expect(files.filter((file) => !existsSync(pathOf(`deploy/cluster/${file}`)))).toEqual([]);
  });
});

describe("cluster/Caddyfile", () => {
  test("names the servers of compose.yaml, and notices one that drains before it stops serving", () => {
    expect(caddy).toContain(`reverse_proxy ${servers.map(([name]) => `${name}:${defaults.port}`).join(" ")} {`);
    expect(caddy).toContain("health_uri /healthz");
    const interval = parseDuration(/health_interval (\w+)/.exec(caddy)?.[1] ?? "") ?? Number.NaN;
    const { drainDelayMs } = serverOf(filledIn(servers[0]?.[1].environment ?? {}, keys));
    expect(2 * interval).toBeLessThan(drainDelayMs);
  });

  test.each(["X-User-Roles", "Fly-Client-IP"])("drops %s, which the servers would trust from a proxy", (header) =>
    expect(caddy).toContain(`header_up -${header}\n`),
  );

  test.skipIf(lacks("the Caddyfile of a cluster", PROGRAMS.caddy))("is valid for Caddy", () => {
    const args = ["validate", "--adapter", "caddyfile", "--config", pathOf("deploy/cluster/Caddyfile")];
    const { exitCode, stderr } = Bun.spawnSync(["caddy", ...args], {
      env: { PATH: process.env["PATH"] ?? "", SITE: ":1" },
    });
    expect({ exitCode, said: exitCode === 0 ? "" : stderr.toString() }).toEqual({ exitCode: 0, said: "" });
  });
});

describe("cluster/nats.conf", () => {
  test.skipIf(lacks("the configuration of NATS", PROGRAMS.nats))("is valid for nats-server", () => {
    const found = findNatsServer();
    const directory = temporaryDirectory();
    const env = { NATS_PASS: keys.NATS_PASS, NATS_STORE: directory.path };
    const program = found.kind === "found" ? found.path : "";
    const { exitCode, stderr } = Bun.spawnSync([program, "--config", pathOf("deploy/cluster/nats.conf"), "-t"], {
      env,
    });
    directory.remove();
    expect({ exitCode, said: exitCode === 0 ? "" : stderr.toString() }).toEqual({ exitCode: 0, said: "" });
  });

  test("allows the default name of a cluster only", () => {
    expect(nats).toContain(`"moorage.${defaults.clusterName}.>"`);
  });
});

describe("cluster/fly", () => {
  test("gives the servers only settings that they know and accept, and replaces one after the other", () => {
    expect(Object.keys(fly.env).filter((name) => !knownToServer.includes(name))).toEqual([]);
    const config = serverOf({
      ...fly.env,
      ...keys,
      FLY_PRIVATE_IP: "fdaa::3",
      FLY_MACHINE_ID: "148e",
      FLY_REGION: "fra",
    });
    expect(config).toMatchObject({
      port: fly.http_service.internal_port,
      serverId: "148e",
      region: "fra",
      dataDir: undefined,
    });
    expect(config.publicUrl).toBe(`https://${fly.app}.fly.dev`);
    expect(fly.deploy).toMatchObject({ strategy: "rolling", max_unavailable: 1 });
    expect(fly.http_service.auto_stop_machines).toBe("off");
    expect(config.drainDelayMs + config.drainTimeoutMs + CLOSING_MS).toBeLessThan(fly.kill_timeout * 1000);
    expect(2 * (parseDuration(fly.http_service.checks[0]?.interval ?? "") ?? 0)).toBeLessThan(config.drainDelayMs);
    expect(config.metricsListener?.port).toBe(fly.metrics.port);
    expect(serverOf(fly.env).host).toBe("127.0.0.1");
  });

  test("gives NATS the file of the other ways, no public service, and a volume for its data", () => {
    const [file] = natsFly.files;
    expect(existsSync(pathOf(`deploy/cluster/fly/${file?.local_path}`))).toBe(true);
    expect(Object.values(natsFly.processes)[0]).toContain(`--config ${file?.guest_path} `);
    expect(natsFly.env["NATS_STORE"]).toBe(natsFly.mounts.destination);
    for (const service of ["http_service", "services"]) expect(natsFly[service]).toBeUndefined();
  });
});

describe("cluster/systemd", () => {
  test("gives each server an id and a port for the others, also beside its successor", async () => {
    const more = parseUnit(await read("deploy/cluster/systemd/cluster.conf"));
    for (const port of [8080, 8081]) {
      const env = environmentOf(more, port);
      expect(Object.keys(env).filter((name) => !knownToServer.includes(name))).toEqual([]);
      const id = env["SERVER_ID"]?.replace("%l", "host") ?? "";
      const all = {
        ...environmentOf(unit, port),
        ...env,
        ...keys,
        SERVER_ID: id,
        NATS_URL: "nats://moorage:n@10.0.0.1",
      };
      expect(serverOf(all)).toMatchObject({ serverId: `host-${port}`, clusterListener: { port: 20_000 + port } });
    }
  });

  test("confines NATS", () => {
    for (const [key, value] of [
      ["DynamicUser", "yes"],
      ["NoNewPrivileges", "yes"],
      ["CapabilityBoundingSet", ""],
      ["ProtectSystem", "strict"],
      ["MemoryDenyWriteExecute", "yes"],
    ] as const)
      expect([key, natsUnit.get(key)]).toEqual([key, [value]]);
    expect(environmentOf(natsUnit)["NATS_STORE"]).toBe(`%S/${natsUnit.get("StateDirectory")?.[0]}`);
  });
});
