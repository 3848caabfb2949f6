export type McpTransport = "auto" | "http" | "sse";

/** Where an MCP server is, or how it is started. */
export type McpSource =
  | { readonly kind: "url"; readonly url: string; readonly transport: McpTransport }
  | {
      readonly kind: "command";
      readonly command: string;
      /** Without them the command is a line for the shell. */
      readonly args: readonly string[] | undefined;
      /** What is added to the worker's own environment. */
      readonly env: Readonly<Record<string, string>>;
      /** Undefined: where the worker was started. */
      readonly directory: string | undefined;
    };

/** One MCP server to serve, with who may call it. */
export interface McpServer {
  /** What people see in the server's state. */
  readonly name: string;
  /** The relay's id in its public URL; undefined: the server makes one. */
  readonly id: string | undefined;
  readonly source: McpSource;
  readonly access: Access;
}

/** `oauth`: callers sign in with the MCP server itself. */
export type Access = { readonly kind: "none" | "oauth" } | { readonly kind: "token"; readonly token: string };

export interface McpServersReading {
  readonly servers: readonly McpServer[];
  /** Each names its key. */
  readonly faults: readonly string[];
}

export interface FileSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}
