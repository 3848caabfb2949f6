import { afterAll, expect, test } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { TestServer } from "../support/test-server.ts";

const server = new TestServer();
afterAll(() => server.stop());

/** Names of hosts that would mean something to a shell, if they came into a script. */
const HOSTILE = [
  "a;id",
  "a$(id)",
  "a`id`",
  "a'b",
  'a"b',
  "a|id",
  "a&id",
  "a b",
  "a\tb",
  "a<b",
  "a\\b",
  "a{b,c}",
  "a*",
  "~a",
  "a#b",
  "user@a",
  "user:secret@a",
  "a/../b",
  "a?b",
  "a%27b",
  "a%0aid",
  "‘a’",
  `${"a".repeat(300)}.example`,
  "[::1]$(id)",
  "a:80;id",
  "a:99999",
  "$env:PATH",
];

/** Sends a request with this name as it is, and returns the whole answer. */
async function askAs(path: string, headers: readonly string[]): Promise<string> {
  const client = new RawClient(server.url);
  await client.write(`GET ${path} HTTP/1.1\r\n${headers.join("\r\n")}\r\nConnection: close\r\n\r\n`);
  await client.closed;
  const parts: Buffer[] = [];
  while (client.received.waiting > 0) parts.push(await client.received.take());
  return Buffer.concat(parts).toString("utf8");
}

test("a script for shells never contains a host name that is more than a name", async () => {
  for (const path of ["/join.sh", "/join.ps1", "/join"])
    for (const name of HOSTILE)
      for (const headers of [[`Host: ${name}`], ["Host: a.example", `X-Forwarded-Host: ${name}`]]) {
        const answer = await askAs(path, headers);
        const told = /(?:origin=|\$origin = |Add a worker to )'?(\S+?)'?[\r\n ]/.exec(answer)?.[1];
        // Refused, or a plain origin, as the URL parser makes one of some of these.
        if (answer.startsWith("HTTP/1.1 200")) expect(told).toMatch(/^https?:\/\/[a-z\d.[\]:_-]+$/);
        else expect(answer).toMatch(/^HTTP\/1\.1 40[034] /);
        for (const piece of ["$(id)", "`id`", ";id", "|id", "&id", "secret", "user@", "{b,c}", "$env:PATH"])
          expect(answer.slice(answer.indexOf("\r\n\r\n")), name).not.toContain(piece);
      }
});
