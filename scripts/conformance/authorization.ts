import { join } from "node:path";
import { signInAt } from "../../tests/support/sign-in.ts";
import { type Checks, readChecks, score } from "./checks.ts";

const SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js";
/** Milliseconds. One run takes a second. */
const TIMEOUT_MS = 60_000;

export interface AuthorizationRun {
  /** The origin of the server. */
  readonly issuer: string;
  /** The URL of a relay that runs with `--access connector`. */
  readonly resource: string;
  /** A key with which programs are let in. */
  readonly key: string;
  readonly revision: string;
  /** A new directory for what the suite writes. */
  readonly output: string;
}

export interface AuthorizationResult {
  readonly scenarios: ReadonlyMap<string, Checks>;
  /** Whether all scenarios ran and passed. */
  readonly isWhole: boolean;
  /** The end of what the suite printed. */
  readonly said: string;
}

/** Runs the suite's scenarios for authorization servers, with a scripted user. */
export async function runAuthorization(run: AuthorizationRun): Promise<AuthorizationResult> {
  const { issuer, resource, key, revision, output } = run;
  const port = freePort();
  const clientId = await register(issuer, `http://127.0.0.1:${port}/callback`);
  const suite = Bun.spawn(
    [
      ...[process.execPath, SUITE, "authorization", "--url", issuer, "--resource", resource, "--client-id", clientId],
      ...["--port", String(port), "--spec-version", revision, "-o", output],
    ],
    {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, NO_COLOR: "1" },
      timeout: TIMEOUT_MS,
    },
  );
  const complaints = suite.stderr.text();
  let said = "";
  let hasSignedIn = false;
  for await (const bytes of suite.stdout) {
    said += Buffer.from(bytes).toString();
    const url = hasSignedIn ? undefined : /^(http\S+\/authorize\?\S+)$/m.exec(said)?.[1];
    if (url === undefined) continue;
    hasSignedIn = true;
    const { callback } = await signInAt(url, { key });
    await (await fetch(callback)).text();
  }
  await suite.exited;
  const scenarios = readChecks(output);
  const hasPassed = [...scenarios.values()].every((checks) => failedIn(checks).length === 0);
  return {
    scenarios,
    isWhole: scenarios.size === SCENARIOS && hasPassed,
    said: `${said.slice(-2000)}${(await complaints).slice(-1000)}`,
  };
}

/** Prints a result like the other ones. */
export function printAuthorization({ scenarios, isWhole, said }: AuthorizationResult, revision: string): void {
  console.log(`\n### ${revision}, authorization server\n\n| scenario | checks | failed |\n| --- | --- | --- |`);
  for (const [scenario, checks] of scenarios) {
    console.log(`| ${scenario} | ${score(checks)} | ${failedIn(checks).join(", ") || "–"} |`);
  }
  if (!isWhole) console.log(`\nThe suite said: ${said}`);
}

function failedIn(checks: Checks): readonly string[] {
  return [...checks].flatMap(([id, verdict]) => (verdict === "SUCCESS" ? [] : [`${id} (${verdict})`]));
}

/** The suite has one scenario for the metadata, and one for the authorization code grant. */
const SCENARIOS = 2;

async function register(issuer: string, callback: string): Promise<string> {
  const answer = await fetch(`${issuer}/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_name: "MCP conformance suite",
      redirect_uris: [callback],
      token_endpoint_auth_method: "none",
    }),
  });
  const { client_id: id } = (await answer.json()) as { client_id?: string }; // RFC 7591
  if (id === undefined) throw new Error(`the suite's client was not registered: ${answer.status}`);
  return id;
}

/** Returns a port that is free now. The suite takes no other form of it. */
function freePort(): number {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const { port } = server;
  void server.stop(true);
  if (port === undefined) throw new Error("there is no free port");
  return port;
}

/** Where the suite writes the results of one run. */
export function outputIn(directory: string, revision: string): string {
  return join(directory, `${revision}-authorization`);
}
