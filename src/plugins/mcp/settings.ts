import type { Config } from "../../config.ts";
import { duration, integer, size } from "../../settings/kinds.ts";
import { setting, type Values } from "../../settings/setting.ts";

/** The settings that only this plugin has. */
export const mcpSettings = {
  mcpRequestTimeoutMs: setting(duration("1s", "24h"), {
    variable: "MCP_REQUEST_TIMEOUT",
    place: { after: "REQUEST_TIMEOUT" },
    // A tool may work for minutes without any output, and the specification sets no limit.
    default: "30m",
    help: "REQUEST_TIMEOUT for MCP calls.",
  }),
  mcpMaxBodyBytes: setting(size("1KiB", "1GiB"), {
    variable: "MCP_MAX_BODY_BYTES",
    place: { before: "START_GRACE" },
    default: "10MiB",
    help: "Largest MCP request; a larger one gets 413.",
  }),
  /** The limit of an answer that is not an event stream. */
  mcpMaxAnswerBytes: setting(size("1KiB", "1TiB"), {
    variable: "MCP_MAX_ANSWER_BYTES",
    default: "32MiB",
    help: "Largest MCP response that is not an event stream; instead of a larger one, the client gets an error.",
  }),
  mcpMaxCalls: setting(integer(1, 100_000), {
    variable: "MCP_MAX_CALLS",
    // Some hundred clients that connect at one moment, with a call each.
    default: "1024",
    help: "MCP calls that one relay may have in progress; further calls get 429.",
  }),
  mcpMaxStreams: setting(integer(1, 100_000), {
    variable: "MCP_MAX_STREAMS",
    // They stay open for as long as a client listens, so they are counted apart from calls.
    default: "1024",
    help: "Endless MCP event streams that one relay may have open; further streams get 429.",
  }),
  /** 0: no call waits. */
  mcpRejoinTimeoutMs: setting(duration("0s", "5m"), {
    variable: "MCP_REJOIN_TIMEOUT",
    place: { after: "START_GRACE" },
    default: "10s",
    help: "Time for which a call waits for a relay that has just left; 0 switches the waiting off.",
  }),
};

export type McpConfig = Config & Values<typeof mcpSettings>;
