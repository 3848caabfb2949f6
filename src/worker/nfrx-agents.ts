import type { FormerNames } from "../settings/former-names.ts";

const NO_STATUS = "a worker opens no port of its own; see the server's dashboard and /metrics";
const TRANSPORT = "name the MCP server with MCP_URL, MCP_COMMAND or MCP_SERVERS";
const OAUTH = "set MCP_OAUTH=true, and callers sign in at the MCP server themselves";

/** The settings of nfrx's agents (v0.9.6) that have another name here, or none. `docs/from-nfrx.md` lists them all. */
export const NFRX_AGENTS: FormerNames = {
  program: "nfrx's agents",
  settings: [
    // The variable counts here, too; its flag and its key in the file do not.
    { variable: "PROVIDER_URL", instead: "set MCP_URL (--url)" },
    { variable: "RECONNECT", flags: ["reconnect", "r"], instead: "a worker always reconnects; remove it" },
    { variable: "API_STYLE", instead: "the worker finds out by itself; remove it" },
    { variable: "OLLAMA_API_KEY", instead: "set COMPLETION_API_KEY (--backend-key)" },
    { variable: "COMPLETION_AGENT_VERSION", instead: "it is not shown; remove it" },
    { variable: "STATUS_ADDR", instead: NO_STATUS },
    // Not METRICS_PORT: server and worker may share one environment, and it is a setting of the server.
    { variable: "METRICS_ADDR", flags: ["metrics-port"], instead: NO_STATUS },
    { variable: "LOG_DIR", instead: "the log goes to standard output; let a service manager keep it" },
    { variable: "MCP_HTTP_ALLOW_STREAMING", instead: "streams are always passed on; remove it" },
    { variable: "MCP_TRANSPORT_ORDER", yamlKeys: ["order"], instead: TRANSPORT },
    { variable: "MCP_INIT_TIMEOUT", yamlKeys: ["initTimeout"], instead: "set REQUEST_TIMEOUT" },
    { variable: "MCP_PROTOCOL_VERSION", yamlKeys: ["protocolVersion"], instead: "it is negotiated; remove it" },
    { variable: "MCP_MAX_INFLIGHT", yamlKeys: ["maxInFlight"], instead: "set MCP_MAX_CALLS on the server" },
    { variable: "MCP_STDIO_COMMAND", yamlKeys: ["stdio.command"], instead: "set MCP_COMMAND (--stdio)" },
    { variable: "MCP_STDIO_ARGS", yamlKeys: ["stdio.args"], instead: "write the arguments into MCP_COMMAND" },
    { variable: "MCP_STDIO_ENV", yamlKeys: ["stdio.env"], instead: "use a servers file (MCP_SERVERS)" },
    { variable: "MCP_STDIO_WORKDIR", yamlKeys: ["stdio.workDir"], instead: "use a servers file (MCP_SERVERS)" },
    { variable: "MCP_STDIO_ALLOW_RELATIVE", yamlKeys: ["stdio.allowRelative"], instead: "it is allowed; remove it" },
    { variable: "MCP_HTTP_URL", yamlKeys: ["http.url"], instead: "set MCP_URL (--url)" },
    { variable: "MCP_HTTP_TIMEOUT", yamlKeys: ["http.timeout"], instead: "set REQUEST_TIMEOUT" },
    {
      variable: "MCP_HTTP_ENABLE_PUSH",
      yamlKeys: ["http.enablePush"],
      instead: "streams are always passed on; remove it",
    },
    {
      variable: "MCP_HTTP_INSECURE_SKIP_VERIFY",
      yamlKeys: ["http.insecureSkipVerify"],
      instead: "set NODE_EXTRA_CA_CERTS to the certificate of a private authority",
    },
    { variable: "MCP_OAUTH_ENABLED", yamlKeys: ["oauth.enabled"], instead: OAUTH },
    { variable: "MCP_OAUTH_TOKEN_URL", yamlKeys: ["oauth.tokenURL"], instead: OAUTH },
    { variable: "MCP_OAUTH_CLIENT_ID", yamlKeys: ["oauth.clientID"], instead: OAUTH },
    { variable: "MCP_OAUTH_CLIENT_SECRET", yamlKeys: ["oauth.clientSecret"], instead: OAUTH },
    { variable: "MCP_OAUTH_SCOPES", yamlKeys: ["oauth.scopes"], instead: OAUTH },
    { variable: "MCP_OAUTH_TOKEN_FILE", yamlKeys: ["oauth.tokenFile"], instead: OAUTH },
    { variable: "MCP_ENABLE_LEGACY_SSE", yamlKeys: ["enableLegacySSE"], instead: "set MCP_TRANSPORT=sse" },
    { variable: "DOC_BASE_URL", instead: "there is no docling here" },
    { variable: "DOC_API_KEY", instead: "there is no docling here" },
  ],
};
