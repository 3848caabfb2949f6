import { quantiles, type Row, rate, SERVER } from "./panel.ts";

const MCP_ONLY = `${SERVER},plugin="mcp"`;

export const MCP: Row = {
  title: "MCP",
  panels: [
    {
      title: "Calls",
      about:
        "Calls ended per second, by method and outcome. `error` is a response with an error; `refused` reached no relay.",
      unit: "reqps",
      queries: [["{{method}} {{outcome}}", `sum by (method, outcome) (${rate(`moorage_mcp_calls_total{${SERVER}}`)})`]],
    },
    {
      title: "Relays, sessions, calls",
      about: "Connected relays, sessions that clients hold, and calls and streams in progress.",
      unit: "short",
      queries: [
        ["relays", `sum(moorage_mcp_relays{${SERVER}})`],
        ["sessions", `sum(moorage_mcp_sessions{${SERVER}})`],
        ["{{kind}}", `sum by (kind) (moorage_mcp_in_flight{${SERVER}})`],
      ],
    },
    {
      title: "Time to first byte",
      about: "From acceptance of a call to the first byte of its response, through the relay and the MCP server.",
      unit: "s",
      queries: quantiles("moorage_first_byte_seconds", MCP_ONLY),
    },
    {
      title: "Duration",
      about: "From acceptance of a call to its end. Streams that listen last as long as their clients keep them open.",
      unit: "s",
      queries: quantiles("moorage_job_duration_seconds", MCP_ONLY),
    },
    {
      title: "Sessions opened",
      about:
        "Sessions opened per second. Many of these beside few sessions held mean that a client opens a new one each time.",
      unit: "ops",
      queries: [["opened", `sum(${rate(`moorage_mcp_sessions_opened_total{${SERVER}}`)})`]],
    },
  ],
};

export const TRANSFERS: Row = {
  title: "Transfers",
  panels: [
    {
      title: "Channels ended",
      about: "Channels ended per second, by outcome. `expired` channels were never joined by both sides.",
      unit: "ops",
      queries: [["{{outcome}}", `sum by (outcome) (${rate(`moorage_transfers_total{${SERVER}}`)})`]],
    },
    {
      title: "Bytes passed",
      about: "Bytes per second from writers to readers, counted as they pass.",
      unit: "Bps",
      queries: [["bytes", `sum(${rate(`moorage_transfer_bytes_total{${SERVER}}`)})`]],
    },
    {
      title: "Open channels",
      about: "Channels that wait for a side, and active ones.",
      unit: "short",
      queries: [["{{state}}", `sum by (state) (moorage_transfer_channels{${SERVER}})`]],
    },
  ],
};

export const PROCESS: Row = {
  title: "Process",
  panels: [
    {
      title: "CPU",
      about: "Cores in use. One thread handles all events, so the server is saturated near 1.",
      unit: "short",
      queries: [["{{instance}}", rate(`process_cpu_seconds_total{${SERVER}}`)]],
    },
    {
      title: "Memory",
      about: "Resident memory, and the limit of the container or the machine.",
      unit: "bytes",
      queries: [
        ["{{instance}}", `process_resident_memory_bytes{${SERVER}}`],
        ["limit of {{instance}}", `moorage_memory_limit_bytes{${SERVER}}`],
      ],
    },
    {
      title: "Event loop lag",
      about: "How late the server handles its events. Above 0.1 s, streams stutter.",
      unit: "s",
      queries: [
        ["p50 {{instance}}", `nodejs_eventloop_lag_p50_seconds{${SERVER}}`],
        ["p99 {{instance}}", `nodejs_eventloop_lag_p99_seconds{${SERVER}}`],
      ],
    },
    {
      title: "Open files",
      about: "Each worker, client and spooled upload is one. At the limit, nobody can connect.",
      unit: "short",
      queries: [
        ["open {{instance}}", `process_open_fds{${SERVER}}`],
        ["limit of {{instance}}", `process_max_fds{${SERVER}}`],
      ],
    },
    {
      title: "Wrong keys",
      about: "Requests and workers refused per second for their keys, by surface.",
      unit: "reqps",
      queries: [["{{surface}}", `sum by (surface) (${rate(`moorage_auth_failures_total{${SERVER}}`)})`]],
    },
    {
      title: "Version",
      about: "The running version. A new line is a deploy.",
      unit: "short",
      queries: [["{{version}} on Bun {{bun}}", `moorage_build_info{${SERVER}}`]],
    },
  ],
};
