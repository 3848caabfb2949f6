/** @jsxImportSource @kitajs/html */
import type { McpState } from "../src/plugins/mcp/mcp-state.ts";

/** The relays at a glance. Everything a relay says of itself is untrusted: each leaf that holds it is `safe`. */
export function renderMcpView(state: McpState): string {
  const { relays_summary: summary } = state;
  return (
    <section class="plugin" data-plugin="mcp">
      <h2>MCP relays</h2>
      <p>
        <span class={`badge ${state.server.state}`}>{state.server.state}</span>{" "}
        <span safe>{`${summary.calls_inflight} calls running, ${summary.streams_open} streams open`}</span>
      </p>
      <table>
        <thead>
          <tr>
            <th>Relay</th>
            <th>Id</th>
            <th>Server</th>
            <th>Calls</th>
            <th>Last error</th>
          </tr>
        </thead>
        <tbody>
          {state.relays.map((relay) => (
            <tr>
              <td safe>{relay.name}</td>
              <td safe>{relay.id}</td>
              <td safe>{relay.upstream ?? "not said"}</td>
              <td safe>{`${relay.served_total} served, ${relay.failures_total} failed`}</td>
              <td safe>{relay.last_error ?? "none"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  ) as string; // no component here is asynchronous, so the element is text
}
