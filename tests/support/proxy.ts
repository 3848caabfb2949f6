import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

export type ProxyKind = "nginx" | "caddy";

/** A proxy in front of a server, configured by the file in deploy/ except for names, ports and TLS. */
export interface ReverseProxy {
  readonly url: string;
  /** Does what docs/deploy.md tells operators to do between the start of the new server and the end of the old one. */
  lead(toPort: number): Promise<void>;
  stop(): Promise<void>;
}

const deployed = (name: string): string => readFileSync(join(import.meta.dir, "../../deploy", name), "utf8");

/** Starts a proxy in front of the server on `port`. Its successor will be on `nextPort`. */
export function startProxy(kind: ProxyKind, port: number, nextPort: number): Promise<ReverseProxy> {
  return kind === "nginx" ? startNginx(port) : startCaddy(port, nextPort);
}

/** Finds a port that is free now, because these programs do not report a port that they chose themselves. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = createServer();
    listener.once("error", reject);
    listener.listen(0, "127.0.0.1", () => {
      const address = listener.address();
      listener.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

async function startNginx(port: number): Promise<ReverseProxy> {
  const folder = mkdtempSync(join(tmpdir(), "moorage-nginx-"));
  const [ownPort, plainPort] = [await freePort(), await freePort()];
  const site = (serverPort: number): string =>
    replaced(deployed("nginx.conf"), [
      [/listen 80;/, `listen 127.0.0.1:${plainPort};`],
      [/listen 443 ssl http2;/, `listen 127.0.0.1:${ownPort};`],
      [/^ *ssl_certificate(?:_key)? .*$/m, ""],
      [/^ *ssl_certificate(?:_key)? .*$/m, ""],
      [/server 127\.0\.0\.1:8080;/, `server 127.0.0.1:${serverPort};`],
    ]);
  // As Debian's nginx.conf includes the file, but with everything that is written inside the folder.
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const main = `daemon off;
pid ${folder}/pid;
error_log stderr;
events {}
http {
${temporary.map((name) => `  ${name}_temp_path ${folder}/${name};`).join("\n")}
  include ${folder}/moorage.conf;
}
`;
  writeFileSync(join(folder, "nginx.conf"), main);
  writeFileSync(join(folder, "moorage.conf"), site(port));
  const child = Bun.spawn(["nginx", "-c", join(folder, "nginx.conf"), "-e", "stderr"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return running(child, folder, `http://127.0.0.1:${ownPort}`, async (toPort) => {
    writeFileSync(join(folder, "moorage.conf"), site(toPort));
    // Like `nginx -s reload`: new connections follow the new file, and existing ones continue.
    child.kill("SIGHUP");
    // Real time, as the guide tells operators to wait: for a moment nginx's old processes still accept requests.
    await Bun.sleep(1000);
  });
}

function startCaddy(port: number, nextPort: number): Promise<ReverseProxy> {
  return runCaddy((ownPort) =>
    replaced(deployed("Caddyfile"), [
      [/^\{$/m, "{\n  admin off\n  auto_https off"],
      [/^moorage\.example\.com \{$/m, `http://127.0.0.1:${ownPort} {`],
      [/127\.0\.0\.1:8080 127\.0\.0\.1:8081/, `127.0.0.1:${port} 127.0.0.1:${nextPort}`],
    ]),
  );
}

/** Starts Caddy in front of the three servers of a cluster, configured by deploy/cluster/Caddyfile except for addresses. */
export function startClusterProxy(ports: readonly number[]): Promise<Pick<ReverseProxy, "url" | "stop">> {
  const [first, second, third] = ports.map((port) => `127.0.0.1:${port}`);
  return runCaddy((ownPort) =>
    replaced(deployed("cluster/Caddyfile"), [
      [/^\{$/m, "{\n  admin off\n  auto_https off"],
      [/^\{\$SITE:http:\/\/localhost\} \{$/m, `http://127.0.0.1:${ownPort} {`],
      [/server1:8080 server2:8080 server3:8080/, `${first} ${second} ${third}`],
    ]),
  );
}

async function runCaddy(configure: (ownPort: number) => string): Promise<ReverseProxy> {
  const folder = mkdtempSync(join(tmpdir(), "moorage-caddy-"));
  const ownPort = await freePort();
  const site = configure(ownPort);
  const path = join(folder, "Caddyfile");
  writeFileSync(path, site);
  mkdirSync(join(folder, "home"));
  const child = Bun.spawn(["caddy", "run", "--config", path, "--adapter", "caddyfile"], {
    env: { ...process.env, HOME: join(folder, "home"), XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  // Caddy finds the new server by itself. Real time, as the guide tells operators to wait: its checks are a second apart.
  return running(child, folder, `http://127.0.0.1:${ownPort}`, () => Bun.sleep(3000));
}

/** Replaces each pattern. Throws if one does not occur, so that a changed file is not tested only in part. */
function replaced(text: string, changes: readonly (readonly [RegExp, string])[]): string {
  return changes.reduce((all, [pattern, by]) => {
    if (!pattern.test(all)) throw new Error(`the file has no match for ${pattern}`);
    return all.replace(pattern, by);
  }, text);
}

async function running(
  child: Bun.Subprocess<"ignore", "ignore", "pipe">,
  folder: string,
  url: string,
  lead: ReverseProxy["lead"],
): Promise<ReverseProxy> {
  const said = child.stderr.text();
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    // Caddy waits 5 s for connections that have not sent a request.
    const timer = setTimeout(() => child.kill("SIGKILL"), 1000);
    await child.exited;
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${await said}`);
      return fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      );
    }, "the proxy answers");
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, lead, stop };
}
