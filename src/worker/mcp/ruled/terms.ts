import type { McpCalled } from "../../../wire/mcp-call.ts";
import type { ListedTool, RuleSet } from "../rules.ts";
import type { CallGate } from "./call-gate.ts";

/** What the tools of the MCP server are. */
export interface ToolFacts {
  /** Rejects with a message for callers if the tools cannot be read. */
  read(): Promise<{ readonly tools: readonly ListedTool[] }>;
  /** Notes that a list may have changed. */
  changed(): void;
}

/** What a request is served with. */
export interface Terms {
  /** The caller's name; undefined where nobody is named. */
  readonly name: string | undefined;
  readonly rules: RuleSet | undefined;
  readonly gate: CallGate | undefined;
  /** What the answer says about the call, as far as it is known before the body. */
  readonly called: McpCalled | undefined;
}
