import type { NatsBusOptions } from "../../src/cluster/nats/nats-bus.ts";
import { parseNatsUrl } from "../../src/settings/nats-url.ts";
import { systemClock } from "../../src/system/clock.ts";
import { createLog } from "../../src/system/log.ts";

/** Returns what a bus on the NATS servers of these URLs needs. `lines` gets the log as JSON. */
export function busOptions(urls: string, name = "test", lines: string[] = []): NatsBusOptions {
  const servers = urls.split(",").map((url) => {
    const server = parseNatsUrl(url);
    if (!server) throw new Error("not a NATS URL");
    return server;
  });
  return {
    servers,
    name,
    inboxPrefix: "_INBOX_moorage.test",
    readCredentials: undefined,
    readAuthority: undefined,
    clock: systemClock,
    log: createLog({ level: "debug", format: "json", write: (line) => lines.push(line), now: Date.now }),
  };
}
