import type { LinkContact } from "../../src/cluster/links/link-auth.ts";
import { Links } from "../../src/cluster/links/links.ts";
import { SocketTransport } from "../../src/cluster/links/socket-transport.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import type { PeerHandler } from "../../src/tunnel/peer-handler.ts";

/** A server's links on real sockets of this machine. */
export interface RealLinks {
  readonly links: Links;
  readonly contact: LinkContact;
}

/** Starts links on a free port. They serve `handler` to peers, as the plugin `llm`. */
export function startRealLinks(id: string, handler?: PeerHandler, windowBytes = 256 * 1024): RealLinks {
  const links = new Links({
    self: { id, epoch: `epoch-of-${id}` },
    deps: { clock: systemClock, log: silentLog, ids: systemIds },
    transport: new SocketTransport(systemClock),
    windowBytes,
    confirmTimeoutMs: 5000,
    random: Math.random,
  });
  if (handler) links.serve("http", handler, "llm");
  return { links, contact: links.listen({ host: "127.0.0.1", port: 0 }, (port) => `127.0.0.1:${port}`) };
}
