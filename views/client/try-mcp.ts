import { messageOf } from "./answers.ts";
import { curlLine } from "./curl.ts";
import { McpClient, type Tool } from "./mcp-client.ts";
import { askedModel, listOf, type PanelTools } from "./playground.ts";
import { argumentsOf, type Field, fieldsOf } from "./schema-form.ts";

/** Longest result that is shown in full. */
const MAX_SHOWN_CHARS = 20_000;

interface RelayRow {
  readonly id: string;
  readonly name: string;
  readonly auth: string | null;
}

/** What callers show, by the access that a relay states. */
const PROOFS: Readonly<Record<string, string>> = {
  token: "Its token",
  oauth: "An access token of it",
  connector: "A client's key of this server",
};

/** The tools of a relay's MCP server, each with a form. */
export function createMcpTry({ pool, route }: PanelTools) {
  return () => {
    let client: McpClient | undefined;
    let stopper: AbortController | undefined;
    return {
      relay: "",
      token: "",
      tools: [] as readonly Tool[],
      tool: "",
      fields: [] as readonly Field[],
      texts: {} as Record<string, string>,
      result: "",
      isError: false,
      isRunning: false,
      problem: "",
      relays(): readonly RelayRow[] {
        return listOf<RelayRow>(pool(), "mcp", "relays");
      },
      /** Chooses the relay of the address, or the only one. */
      settle(): void {
        const relays = this.relays();
        const asked = askedModel(route(), "mcp");
        if (this.relay !== "" || relays.length === 0) return;
        this.relay = relays.find(({ id }) => id === asked)?.id ?? (relays.length === 1 ? (relays[0]?.id ?? "") : "");
      },
      /** Forgets what the relay before has offered. */
      forget(): void {
        Object.assign(this, { tools: [], tool: "", fields: [], result: "", problem: "", token: "" });
      },
      /** What callers of the relay have to show; empty if they need nothing. */
      tokenLabel(): string {
        const relay = this.relays().find(({ id }) => id === this.relay);
        if (relay === undefined) return "";
        return relay.auth === null ? "Token, if it requires one" : (PROOFS[relay.auth] ?? "");
      },
      url(): string {
        return `${location.origin}/api/mcp/id/${this.relay === "" ? "RELAY" : encodeURIComponent(this.relay)}/mcp`;
      },
      async list(): Promise<void> {
        await this.run(async () => {
          await client?.close();
          Object.assign(this, { tools: [], tool: "", fields: [], result: "" });
          client = new McpClient(this.url(), this.token);
          await client.open();
          this.tools = Object.freeze(await client.tools());
          this.choose(this.tools[0]?.name ?? "");
        });
      },
      choose(name: string): void {
        this.tool = name;
        this.result = "";
        this.fields = Object.freeze(fieldsOf(this.tools.find((each) => each.name === name)?.inputSchema));
        this.texts = Object.fromEntries(this.fields.map(({ name: field, initial }) => [field, initial]));
      },
      description(): string {
        return this.tools.find(({ name }) => name === this.tool)?.description ?? "";
      },
      async call(): Promise<void> {
        await this.run(async (signal) => {
          this.result = "";
          const result = await client?.call(this.tool, argumentsOf(this.fields, this.texts), signal);
          this.isError = result?.["isError"] === true;
          this.result = shown(result);
        });
      },
      async run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
        Object.assign(this, { isRunning: true, problem: "" });
        stopper = new AbortController();
        try {
          await work(stopper.signal);
        } catch (error) {
          this.problem = messageOf(error) || "Stopped.";
        } finally {
          this.isRunning = false;
        }
      },
      stop(): void {
        stopper?.abort();
      },
      /** The request without a session, which stateless servers accept. */
      curl(): string {
        let args: unknown = {};
        try {
          args = argumentsOf(this.fields, this.texts);
        } catch {
          // The form is not filled in yet.
        }
        const params = this.tool === "" ? undefined : { name: this.tool, arguments: args };
        return curlLine({
          url: this.url(),
          method: "POST",
          headers: [["accept", "application/json, text/event-stream"]],
          bearerVariable: this.token === "" ? undefined : "AUTH_TOKEN",
          json: { jsonrpc: "2.0", id: 1, method: params ? "tools/call" : "tools/list", ...(params ? { params } : {}) },
        });
      },
    };
  };
}

/** Shows the texts of a result as they are, and everything else as JSON. */
function shown(result: Readonly<Record<string, unknown>> | undefined): string {
  const content = Array.isArray(result?.["content"])
    ? (result["content"] as readonly { type?: unknown; text?: unknown }[])
    : []; // checked next
  const texts = content.map((part) =>
    part?.type === "text" && typeof part.text === "string" ? part.text : JSON.stringify(part, null, 2),
  );
  const text = texts.length > 0 ? texts.join("\n") : JSON.stringify(result, null, 2);
  return text.length > MAX_SHOWN_CHARS
    ? `${text.slice(0, MAX_SHOWN_CHARS)}\n… ${text.length} characters in total`
    : text;
}
