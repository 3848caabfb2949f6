import type { TransferState } from "../../src/plugins/transfer/transfer-state.ts";
import type { Deps } from "../../src/system/deps.ts";
import type { Config } from "./default-config.ts";
import { RawClient } from "./raw-client.ts";
import { API_KEY, TestServer } from "./test-server.ts";

/** A server with the transfer plugin, and common steps of its tests. */
export class TransferServer extends TestServer {
  constructor(overrides: Partial<Config> = {}, deps: Partial<Deps> = {}) {
    super({ plugins: ["transfer"], ...overrides }, deps);
  }

  async channel(): Promise<string> {
    const response = await this.fetch("/api/transfer", { method: "POST" });
    if (!response.ok) throw new Error(`no channel: ${response.status}`);
    const { channel_id } = (await response.json()) as { channel_id: string }; // its own test checks this shape
    return channel_id;
  }

  read(id: string, init: RequestInit = {}): Promise<Response> {
    return this.fetch(`/api/transfer/${id}`, init);
  }

  write(id: string, body: NonNullable<RequestInit["body"]>, init: RequestInit = {}): Promise<Response> {
    return this.fetch(`/api/transfer/${id}`, { method: "POST", body, ...init });
  }

  /** Opens a reader or writer that writes HTTP by hand; `head` is more header lines, each with its line break. */
  async raw(method: string, id: string, head = ""): Promise<RawClient> {
    const client = new RawClient(this.url);
    const host = new URL(this.url).host;
    await client.write(
      `${method} /api/transfer/${id} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${API_KEY}\r\n${head}\r\n`,
    );
    return client;
  }

  async transfers(): Promise<TransferState> {
    const response = await this.fetch("/api/state");
    const envelope = (await response.json()) as { plugins: { transfer: TransferState } }; // the State API's own tests check this shape
    return envelope.plugins.transfer;
  }
}
