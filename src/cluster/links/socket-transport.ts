import type { Clock } from "../../system/deps.ts";
import { CLOSES } from "../../wire/closes.ts";
import type { ChannelEvents } from "./channel.ts";
import {
  type AcceptedData,
  acceptedChannel,
  DialledChannel,
  hasDrained,
  MAX_MESSAGE_BYTES,
  MAX_WAITING_BYTES,
} from "./socket-channel.ts";
import type { Accept, CancelDial, Dialling, LinkListener, LinkTransport, ListenAddress } from "./transport.ts";

/** The path of links. Nothing else is served on their listener. */
const PATH = "/link";

/**
 * How long a connection may be silent, in seconds. Bun also closes a connection whose request is not complete after 12 s,
 * however often bytes of it arrive (measured with Bun 1.4.5).
 */
const IDLE_TIMEOUT_S = 5;

/** A refused connection is closed, so that nobody keeps one open by asking again and again. */
const LAST = { connection: "close" };

/** The reason for the end of a connection that its other end did not close. */
const BROKEN = "the connection broke";

/** WebSockets of Bun as links. */
export class SocketTransport implements LinkTransport {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  dial(address: string, authorization: string, dialling: Dialling): CancelDial {
    // Bun takes an options object that the DOM's type does not know.
    const init = { headers: { authorization }, perMessageDeflate: false } as unknown as string[];
    const socket = new WebSocket(`ws://${address}${PATH}`, init);
    let events: ChannelEvents | undefined;
    let channel: DialledChannel | undefined;
    let error = BROKEN;
    let isOver = false;
    socket.onopen = () => {
      if (isOver) return;
      channel = new DialledChannel(socket, this.#clock, () => events?.onDrain());
      events = dialling.onOpen(channel);
    };
    socket.onmessage = ({ data }: MessageEvent<string | Uint8Array>) =>
      events?.onMessage(typeof data === "string" ? Buffer.from(data) : data);
    socket.onerror = (event) => {
      if ("message" in event) error = shownError(String(event.message));
    };
    socket.onclose = ({ reason }) => {
      channel?.handleClosed();
      if (events) events.onClosed(reason || error);
      else if (!isOver) dialling.onFailed(reason || error);
    };
    return () => {
      isOver = true;
      if (!events) socket.terminate();
    };
  }

  listen({ host, port }: ListenAddress, accept: Accept): LinkListener {
    const server = Bun.serve<AcceptedData>({
      hostname: host,
      port,
      // Otherwise Bun shares the port with another server of this machine, which would get some of the links.
      reusePort: false,
      idleTimeout: IDLE_TIMEOUT_S,
      maxRequestBodySize: 0,
      development: false,
      fetch(request, listener) {
        // A stranger's Host header may make the URL invalid.
        if (URL.parse(request.url)?.pathname !== PATH) return new Response(null, { status: 404, headers: LAST });
        const open = accept(request.headers.get("authorization"), listener.requestIP(request)?.address);
        if (!open) return new Response(null, { status: 401, headers: LAST });
        return listener.upgrade(request, { data: { open } })
          ? undefined
          : new Response(null, { status: 426, headers: LAST });
      },
      websocket: {
        idleTimeout: 0,
        sendPings: false,
        perMessageDeflate: false,
        maxPayloadLength: MAX_MESSAGE_BYTES,
        backpressureLimit: MAX_WAITING_BYTES,
        open(ws) {
          ws.data.events = ws.data.open(acceptedChannel(ws));
        },
        message(ws, message) {
          ws.data.events?.onMessage(typeof message === "string" ? Buffer.from(message) : message);
        },
        drain(ws) {
          if (hasDrained(ws)) ws.data.events?.onDrain();
        },
        close(ws, code, reason) {
          ws.data.events?.onClosed(reason || (code === CLOSES.no_close_frame.code ? BROKEN : `closed with ${code}`));
        },
      },
    });
    return {
      port: server.port ?? port,
      close: () => void server.stop(true),
    };
  }
}

/** Shortens Bun's message about a failed dial, which begins with the whole URL. */
function shownError(message: string): string {
  const text = message.replace(/^WebSocket connection to '[^']*' failed: /, "");
  const status = /^Expected 101 status code: (\d+)$/.exec(text)?.[1];
  if (status === "401") return "refused: another run, server or cluster has this address";
  return status === undefined ? text : `something else answers at this address, with HTTP ${status}`;
}
