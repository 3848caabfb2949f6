import type { Backend, Opening } from "../../answering/opening.ts";
import type { RequestHead } from "../../wire/heads.ts";
import { METADATA_PATH } from "../../wire/mcp-metadata.ts";
import { asksForInventory } from "./serve-inventory.ts";

const REFUSED: Opening = {
  kind: "answer",
  status: 403,
  body: {
    jsonrpc: "2.0",
    error: {
      code: -32_000,
      message: "A relay serves the endpoint of its MCP server and no other path.",
      data: { code: "path_not_allowed" },
    },
  },
};

/**
 * A backend whose callers reach the MCP server's endpoint, and the metadata of one that callers sign in to. The server itself
 * also reaches the inventory. Any other path gets 403. The public server refuses such paths as well, but a worker does not depend on it: the path would select
 * what is called inside the worker's network.
 */
export function endpointOnly(backend: Backend): Backend {
  return {
    open: (head) => (isEndpoint(head) || isMetadata(head) || asksForInventory(head) ? backend.open(head) : REFUSED),
  };
}

function isEndpoint({ path }: RequestHead): boolean {
  return path === "/" || path.startsWith("/?");
}

/** Whether the request is the server's own for OAuth metadata. The upstream refuses it unless callers sign in to it. */
function isMetadata({ method, path, resource }: RequestHead): boolean {
  return method === "GET" && path === METADATA_PATH && resource !== undefined;
}
