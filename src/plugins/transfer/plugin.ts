import type { Plugin, PluginContext } from "../../plugin/contract.ts";
import { TRANSFER } from "./openapi.ts";
import { transferRoutes } from "./routes.ts";
import { Transfers } from "./transfers.ts";
import { renderTransferView } from "./view.tsx";

/** One-time channels that carry bytes from one client to another. */
export function createTransferPlugin(context: PluginContext): Plugin {
  const transfers = new Transfers(context);
  return {
    id: "transfer",
    routes: transferRoutes(transfers, context),
    tags: [TRANSFER],
    section: { label: "Transfers", render: renderTransferView },
    reports: transfers,
    lifecycle: transfers,
  };
}
