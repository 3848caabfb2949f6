import type { Log } from "../../system/deps.ts";

/** How long a connection may take: a server on this machine or its network accepts it at once, or never. */
const TIMEOUT_MS = 5000;

/** Warns at the start, and not only with the first call, when nothing listens at the MCP server's address. */
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
    log.warn("upstream.away", { reason, hint: "check that the MCP server is running, and its --url" });
}
