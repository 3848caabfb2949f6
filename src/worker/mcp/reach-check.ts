import type { Log } from "../../system/deps.ts";

/** A server on this machine or its network takes a connection at once, or not at all. */
const TIMEOUT_MS = 5000;

/** Warns the relay's owner at the start, and not only with the first call, when nothing listens where its MCP server should. */
export async function warnIfAway(url: string, log: Log): Promise<void> {
  const { hostname, port, protocol } = new URL(url);
  const opened = Promise.withResolvers<string | undefined>();
  const timer = setTimeout(() => opened.resolve("no connection in time"), TIMEOUT_MS);
  timer.unref();
  Bun.connect({
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port) || (protocol === "https:" ? 443 : 80),
    socket: {
      open(socket) {
        socket.end();
        opened.resolve(undefined);
      },
      data() {},
      connectError: (_socket, error) => opened.resolve(error.message),
    },
  }).catch((error: Error) => opened.resolve(error.message));
  const reason = await opened.promise;
  clearTimeout(timer);
  if (reason !== undefined)
    log.warn("upstream.away", { reason, hint: "is the MCP server running, and its --url right?" });
}
