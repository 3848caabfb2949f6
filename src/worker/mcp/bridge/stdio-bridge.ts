import type { Deps } from "../../../deps.ts";
import { type Bridge, createBridge } from "./bridge.ts";
import { StdioChild } from "./stdio-child.ts";

export interface StdioBridgeOptions {
  /** A line for the shell. */
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly deps: Deps;
}

/** An MCP server that speaks stdio: one process for each session, ended with it, and one for all requests without any. */
export function createStdioBridge({ command, env, deps }: StdioBridgeOptions): Bridge {
  const { clock, log } = deps;
  return createBridge({
    openPeer: (events) => new StdioChild({ command, env, clock, log, ...events }),
    maybeStateless: true,
    deps,
  });
}
