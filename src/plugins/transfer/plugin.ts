import { definePlugin } from "../../plugin/definition.ts";
import { TRANSFER } from "./openapi.ts";
import { transferRoutes } from "./routes.ts";
import { transferSettings } from "./settings.ts";
import { Transfers } from "./transfers.ts";
import { TRANSFER_SECTION } from "./view.tsx";

/** One-time channels that carry bytes from one client to another. */
export const transferPlugin = definePlugin({
  id: "transfer",
  settings: transferSettings,
  create(context) {
    const transfers = new Transfers(context);
    return {
      routes: transferRoutes(transfers, context),
      tags: [TRANSFER],
      section: TRANSFER_SECTION,
      reports: transfers,
      lifecycle: transfers,
    };
  },
});
