import type { Greeting, Hello } from "../tunnel/greeting.ts";
import { batchSizeOf, type Parsed, parseRegister, type Register } from "../wire/worker-messages.ts";
import { createLegacyDialect } from "./legacy-worker.ts";

/** How workers that serve models introduce themselves. `legacyHoldBytes` bounds what is held for a slow client of one. */
export function createModelGreeting(legacyHoldBytes: number): Greeting {
  return {
    parse(text): Parsed<Hello> {
      const parsed = parseRegister(text);
      return parsed.ok ? { ok: true, value: toHello(parsed.value) } : parsed;
    },
    // The predecessor's agents wait for none.
    answer: (dialect, registered) => (dialect === "native" ? registered : undefined),
    createLegacyDialect: () => createLegacyDialect(legacyHoldBytes),
  };
}

function toHello(register: Register): Hello {
  return {
    clientKey: register.client_key || undefined,
    workerId: register.worker_id || undefined,
    name: register.worker_name || undefined,
    version: register.version ?? register.agent_config?.["worker_version"],
    hostInfo: register.agent_config ?? {},
    offer: {
      models: register.models ?? [],
      maxConcurrency: register.max_concurrency ?? 1,
      embeddingBatchSize: batchSizeOf(register),
      status: "ready",
      reason: undefined,
    },
  };
}
