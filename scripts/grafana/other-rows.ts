import { quantiles, type Row, rate, SERVER } from "./panel.ts";

const MCP_ONLY = `${SERVER},plugin="mcp"`;

export const MCP: Row = {
  title: "MCP",
  panels: [
    {
      title: "Calls",
      about: "Ended a second, by method and outcome. `error` was answered, with an error; `refused` met no relay.",
      unit: "reqps",
      queries: [["{{method}} {{outcome}}", `sum by (method, outcome) (${rate(`moorage_mcp_calls_total{${SERVER}}`)})`]],
    },
    {
      title: "Relays, sessions, calls",
      about: "Relays connected, sessions that clients hold, and calls and streams under way.",
      unit: "short",
      queries: [
        ["relays", `sum(moorage_mcp_relays{${SERVER}})`],
        ["sessions", `sum(moorage_mcp_sessions{${SERVER}})`],
        ["{{kind}}", `sum by (kind) (moorage_mcp_in_flight{${SERVER}})`],
      ],
    },
    {
      title: "Time to the first byte",
      about: "Call accepted to its answer's first byte, through the relay and the MCP server.",
      unit: "s",
      queries: quantiles("moorage_first_byte_seconds", MCP_ONLY),
    },
    {
      title: "Duration",
      about: "Call accepted to its end. Streams that listen last as long as their clients like.",
      unit: "s",
      queries: quantiles("moorage_job_duration_seconds", MCP_ONLY),
    },
    {
      title: "Sessions opened",
      about: "Begun a second by answers. Many beside few sessions held: a client that begins anew each time.",
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
      about: "A second, by outcome. `expired` never had both sides.",
      unit: "ops",
      queries: [["{{outcome}}", `sum by (outcome) (${rate(`moorage_transfers_total{${SERVER}}`)})`]],
    },
    {
      title: "Bytes passed",
      about: "From writers to readers, a second, as they pass.",
      unit: "Bps",
      queries: [["bytes", `sum(${rate(`moorage_transfer_bytes_total{${SERVER}}`)})`]],
    },
    {
      title: "Open channels",
      about: "Waiting for a side, or active.",
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
      about: "Cores in use. All events share one thread: near 1 the server is full.",
      unit: "short",
      queries: [["{{instance}}", rate(`process_cpu_seconds_total{${SERVER}}`)]],
    },
    {
      title: "Memory",
      about: "Resident, and what the container or the machine allows.",
      unit: "bytes",
      queries: [
        ["{{instance}}", `process_resident_memory_bytes{${SERVER}}`],
        ["limit of {{instance}}", `moorage_memory_limit_bytes{${SERVER}}`],
      ],
    },
    {
      title: "Event loop lag",
      about: "How late the server is for its events. Beyond 0.1 s streams stutter.",
      unit: "s",
      queries: [
        ["p50 {{instance}}", `nodejs_eventloop_lag_p50_seconds{${SERVER}}`],
        ["p99 {{instance}}", `nodejs_eventloop_lag_p99_seconds{${SERVER}}`],
      ],
    },
    {
      title: "Open files",
      about: "A worker, a client and a spooled upload are one each. At the limit nobody can connect.",
      unit: "short",
      queries: [
        ["open {{instance}}", `process_open_fds{${SERVER}}`],
        ["limit of {{instance}}", `process_max_fds{${SERVER}}`],
      ],
    },
    {
      title: "Wrong keys",
      about: "Requests and workers turned away a second for their credentials, by where they knocked.",
      unit: "reqps",
      queries: [["{{surface}}", `sum by (surface) (${rate(`moorage_auth_failures_total{${SERVER}}`)})`]],
    },
    {
      title: "Version",
      about: "What runs; a change of line is a deploy.",
      unit: "short",
      queries: [["{{version}} on Bun {{bun}}", `moorage_build_info{${SERVER}}`]],
    },
  ],
};
