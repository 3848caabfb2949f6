import type { JSONRPCRequest } from "@modelcontextprotocol/server";

/** The arguments of one server's tools that have to be repeated in headers. */
export class MirroredParams {
  learn(_result: Readonly<Record<string, unknown>>): void {}

  headersOf(_request: JSONRPCRequest): Readonly<Record<string, string>> | undefined {
    return undefined;
  }
}
