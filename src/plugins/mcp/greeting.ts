import * as v from "valibot";
import { parseJson } from "../../json/parse.ts";
import type { Greeting, Hello } from "../../tunnel/greeting.ts";
import { cleanText } from "../../wire/clean-text.ts";
import { CLOSES, closeWith } from "../../wire/closes.ts";
import type { Parsed, Registered } from "../../wire/worker-messages.ts";
import { createLegacyRelayDialect } from "./legacy-relay.ts";

/** Calls that one relay could be sent at once by its own account; the server's limits are lower. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

const text = v.pipe(v.string(), v.maxLength(512), v.transform(cleanText));

const helloSchema = v.object({
  // `{id}` of the public URL. An empty one is none.
  id: v.nullish(v.union([v.literal(""), v.pipe(v.string(), v.regex(/^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/))])),
  client_name: v.nullish(text),
  client_key: v.nullish(v.pipe(v.string(), v.maxLength(4096))),
  info: v.nullish(
    v.object({
      version: v.nullish(text),
      upstream: v.nullish(v.picklist(["http", "sse", "stdio"])),
      auth: v.nullish(v.picklist(["none", "token", "oauth"])),
    }),
  ),
});

/** How relays introduce themselves: `{id?, client_name?, client_key?, info?}`, answered with their id. */
export const relayGreeting: Greeting = {
  parse(said): Parsed<Hello> {
    const result = v.safeParse(helloSchema, parseJson(said));
    if (!result.success) {
      const field = result.issues[0].path?.map(({ key }) => String(key)).join(".") ?? "";
      return { ok: false, close: field === "" ? CLOSES.invalid_hello : closeWith("invalid_hello", field) };
    }
    const { id, client_name, client_key, info } = result.output;
    return {
      ok: true,
      value: {
        clientKey: client_key || undefined,
        workerId: id || undefined,
        name: client_name || undefined,
        version: info?.version ?? undefined,
        hostInfo: {
          ...(info?.upstream ? { upstream: info.upstream } : {}),
          ...(info?.auth ? { auth: info.auth } : {}),
        },
        offer: {
          models: [],
          maxConcurrency: UNBOUNDED,
          embeddingBatchSize: undefined,
          status: "ready",
          reason: undefined,
        },
      },
    };
  },
  answer: (dialect, registered: Registered) =>
    dialect === "native" ? { id: registered.worker_id, ...registered } : { id: registered.worker_id },
  createLegacyDialect: createLegacyRelayDialect,
};
