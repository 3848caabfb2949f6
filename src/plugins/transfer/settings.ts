import type { Config } from "../../config.ts";
import { duration, integer } from "../../settings/kinds.ts";
import { setting, type Values } from "../../settings/setting.ts";

/** The settings that only this plugin has. */
export const transferSettings = {
  transferTtlMs: setting(duration("1s", "24h"), {
    variable: "TRANSFER_TTL",
    place: { after: "MAX_BODY_BYTES" },
    default: "60s",
    help: "Lifetime of a transfer channel that both sides have not joined yet.",
  }),
  transferMaxChannels: setting(integer(1, 1_000_000), {
    variable: "TRANSFER_MAX_CHANNELS",
    // A writer that waits for its reader has some 1.7 MB of its upload in this process's memory.
    default: "1000",
    help: "Transfer channels that may be open at once.",
  }),
};

export type TransferConfig = Config & Values<typeof transferSettings>;
