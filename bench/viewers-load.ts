/**
 * Viewers of the state: raw sockets that request its stream and discard it. Bytes are counted as they come off the socket,
 * and events by the chunks in which they are sent. Arguments: the server's URL, the API key.
 */

/** Opens this many streams for this long. */
export interface ViewersQuestion {
  readonly viewers: number;
  readonly ms: number;
}

export interface ViewersAnswer {
  readonly bytes: number;
  /** The number of events, over all viewers. */
  readonly events: number;
}

const [url = "", key = ""] = process.argv.slice(2);
const { hostname, port, host } = new URL(url);
/** Bytes that arrive without a longer pause than this belong to one event. */
const PAUSE_MS = 300;

async function view(ms: number): Promise<ViewersAnswer> {
  let [bytes, events, lastAt] = [0, 0, 0];
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_socket, data) => {
        bytes += data.length;
        const now = performance.now();
        if (now - lastAt > PAUSE_MS) events += 1;
        lastAt = now;
      },
    },
  });
  socket.write(
    `GET /api/state/stream HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${key}\r\nAccept-Encoding: gzip, br\r\n\r\n`,
  );
  await Bun.sleep(ms);
  socket.terminate();
  return { bytes, events };
}

process.on("disconnect", () => process.exit(0));
process.on("message", async (message) => {
  const { viewers, ms } = message as ViewersQuestion; // The harness sends nothing else.
  const [seen] = await Promise.all([Promise.all(Array.from({ length: viewers }, () => view(ms))), Bun.sleep(ms)]);
  const sum = (of: (each: ViewersAnswer) => number): number => seen.reduce((total, each) => total + of(each), 0);
  process.send?.({ bytes: sum(({ bytes }) => bytes), events: sum(({ events }) => events) });
});
process.send?.({});
