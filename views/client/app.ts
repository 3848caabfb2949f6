import { Alpine } from "./alpine.js";
import { createCopy } from "./copy.ts";
import * as format from "./format.ts";
import { History, perSecond } from "./history.ts";
import { createOperator } from "./operator.ts";
import { registerPlots } from "./plots.ts";
import { createPoolStore, follow, type PoolStore } from "./pool-store.ts";
import type { Sample, ServerState } from "./state-types.ts";
import { createTable } from "./tables.ts";
import { createTabs } from "./tabs.ts";
import { createThemeSwitch } from "./theme-switch.ts";
import { createChat } from "./try-chat.ts";
import { createEmbed } from "./try-embed.ts";
import { createMcpTry } from "./try-mcp.ts";
import { createTranscribe } from "./try-transcribe.ts";
import { createTransfer } from "./try-transfer.ts";
import { verdictOf } from "./verdict.ts";

// The entry point of the dashboard: connects the data to the server's markup.

const history = new History();
const boot = JSON.parse(document.getElementById("boot")?.textContent || "null") as ServerState | null; // the server's own
const pool = (): PoolStore => Alpine.store<PoolStore>("pool");

Alpine.store("pool", createPoolStore(boot));
Alpine.store("operator", createOperator());
Alpine.magic("format", () => format);
Alpine.data("tabs", createTabs("overview"));
Alpine.data("parts", createParts);
Alpine.data("table", createTable(pool));
Alpine.data("theme", createThemeSwitch);
Alpine.data("copy", createCopy);
Alpine.data("chat", createChat);
Alpine.data("embed", createEmbed);
Alpine.data("transcribe", createTranscribe);
Alpine.data("mcp", createMcpTry);
Alpine.data("transfer", createTransfer);
Alpine.data("overview", () => ({
  verdict: () => {
    const { server } = pool();
    return server === null ? { tone: "busy", title: "Connecting…", detail: "" } : verdictOf(server);
  },
  /** Averages over the last ten seconds. Reading the tick makes Alpine compute it again. */
  perSecond: (field: "requests" | "tokens" | "failures" | "bytes") =>
    pool().tick >= 0 ? perSecond(history.samples, field, 10) : 0,
  errorPercent: () => {
    if (pool().tick < 0) return 0;
    const failures = perSecond(history.samples, "failures", 60);
    return format.percent(failures, perSecond(history.samples, "requests", 60));
  },
  sample: (field: keyof Sample) => pool().server?.sample[field] ?? null,
  workers: () => {
    const sample = pool().server?.sample;
    if (!sample) return 0;
    return sample.workers_idle + sample.workers_working + sample.workers_not_ready + sample.workers_draining;
  },
}));
registerPlots(Alpine, pool, history);
Alpine.start();
follow(pool(), history);

/** Parts of one plugin's section, one shown at a time. */
function createParts(first: string) {
  return {
    part: first,
    show(name: string): void {
      this.part = name;
    },
    isShown(name: string): boolean {
      return this.part === name;
    },
  };
}
