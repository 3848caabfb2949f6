import { parseJson } from "../json/parse.ts";
import { type Greeting, type Hello, joinIn } from "../tunnel/greeting.ts";
import { withLegacyId } from "../tunnel/legacy-id.ts";
import { withLoaded } from "../tunnel/offer-updates.ts";
import type { Offer } from "../tunnel/session.ts";
import type { Parsed } from "../wire/fields.ts";
import { batchSizeOf, parseRegister, type Register } from "../wire/worker-messages.ts";
import { createLegacyDialect, type LegacyLimits } from "./legacy-worker.ts";

/** The introduction of workers that serve models. `legacy` are the limits that all legacy workers share. */
export function createModelGreeting(legacy: LegacyLimits): Greeting {
  return {
    parse(text, dialect): Parsed<Hello> {
      const json = parseJson(text);
      const parsed = parseRegister(dialect === "legacy" ? withLegacyId(json, "worker_id", "worker_name") : json);
      return parsed.ok ? { ok: true, value: toHello(parsed.value) } : parsed;
    },
    // The predecessor's agents expect no answer.
    answer: (dialect, registered) => (dialect === "native" ? registered : undefined),
    createLegacyDialect: () => createLegacyDialect(legacy),
  };
}

function toHello(register: Register): Hello {
  return {
    clientKey: register.client_key || undefined,
    previousKey: register.previous_client_key || undefined,
    ...joinIn(register),
    workerId: register.worker_id || undefined,
    name: register.worker_name || undefined,
    version: register.version ?? register.agent_config?.["worker_version"],
    hostInfo: register.agent_config ?? {},
    offer: withLoaded(toOffer(register), register.loaded),
  };
}

function toOffer(register: Register): Offer {
  return {
    models: register.models ?? [],
    ...(register.model_info ? { modelInfo: register.model_info } : {}),
    maxConcurrency: register.max_concurrency ?? 1,
    embeddingBatchSize: batchSizeOf(register),
    ...(register.exchange_kinds ? { exchangeKinds: register.exchange_kinds } : {}),
    status: "ready",
    reason: undefined,
  };
}
