import type { Deps } from "../../../system/deps.ts";
import { type Bridge, createBridge } from "./bridge.ts";
import type { SessionLimits } from "./sessions.ts";
import { StdioChild } from "./stdio-child.ts";

export interface StdioBridgeOptions {
  /** A program if there are arguments, else a line for the shell. */
  readonly command: string;
  readonly args?: readonly string[] | undefined;
  /** The working directory; undefined: this program's own. */
  readonly directory?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly limits: SessionLimits;
  readonly deps: Deps;
}

/** Bridges to an MCP server that speaks stdio: one process per session, and one for all requests without a session. */
export function createStdioBridge({ command, args, directory, env, limits, deps }: StdioBridgeOptions): Bridge {
  const { clock, log } = deps;
  return createBridge({
    openPeer: (events) => new StdioChild({ command, args, directory, env, clock, log, ...events }),
    maybeStateless: true,
    limits,
    deps,
  });
}
