import type { AlpineApi } from "./alpine.js";
import { registerMarkdown } from "./markdown.ts";
import { createPlayground } from "./playground.ts";
import type { PoolStore } from "./pool-store.ts";
import type { RouteStore } from "./route.ts";
import { createChat } from "./try-chat.ts";
import { createEmbed } from "./try-embed.ts";
import { createMcpTry } from "./try-mcp.ts";
import { createTranscribe } from "./try-transcribe.ts";
import { createTransfer } from "./try-transfer.ts";

/** Registers the components of the playground. */
export function register(alpine: AlpineApi, pool: () => PoolStore): void {
  const route = (): RouteStore => alpine.store("route");
  const tools = { pool, route };
  alpine.data("playground", createPlayground(route));
  alpine.data("chat", createChat(tools));
  alpine.data("embed", createEmbed(tools));
  alpine.data("transcribe", createTranscribe(tools));
  alpine.data("mcp", createMcpTry(tools));
  alpine.data("transfer", createTransfer(tools));
  registerMarkdown(alpine);
}
