import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Creates a self-signed certificate for 127.0.0.1 and `localhost`. Its file exists until `remove`. */
export function createSelfSigned(days: number): {
  readonly key: string;
  readonly cert: string;
  readonly certPath: string;
  remove(): void;
} {
  const folder = mkdtempSync(join(tmpdir(), "moorage-tls-"));
  const [keyPath, certPath] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const made = Bun.spawnSync([
    ..."openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost".split(" "),
    ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", String(days)],
    ...["-keyout", keyPath, "-out", certPath],
  ]);
  if (!made.success) throw new Error(made.stderr.toString());
  return {
    key: readFileSync(keyPath, "utf8"),
    cert: readFileSync(certPath, "utf8"),
    certPath,
    remove: () => rmSync(folder, { recursive: true }),
  };
}
