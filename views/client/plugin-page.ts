import type { AlpineApi } from "./alpine.js";
import { createCatalog } from "./catalog.ts";
import { createMcpCalls } from "./mcp-calls.ts";
import { createPastJobs } from "./past-jobs.ts";
import { createChat } from "./try-chat.ts";
import { createEmbed } from "./try-embed.ts";
import { createMcpTry } from "./try-mcp.ts";
import { createTranscribe } from "./try-transcribe.ts";
import { createTransfer } from "./try-transfer.ts";

/** Registers the components that only the sections of plugins have. */
export function register(alpine: AlpineApi): void {
  alpine.data("pastJobs", createPastJobs(alpine));
  alpine.data("chat", createChat);
  alpine.data("embed", createEmbed);
  alpine.data("transcribe", createTranscribe);
  alpine.data("mcp", createMcpTry);
  alpine.data("catalog", createCatalog);
  alpine.data("mcpCalls", createMcpCalls(alpine));
  alpine.data("transfer", createTransfer);
}
