import { type Row, rate, SERVER } from "./panel.ts";

export const CLUSTER: Row = {
  title: "Cluster",
  panels: [
    {
      title: "Servers as each sees them",
      about: "The other servers, by their state. Servers that see different things cannot reach each other.",
      unit: "short",
      queries: [["{{state}} by {{instance}}", `moorage_cluster_peers{${SERVER}} > 0`]],
    },
    {
      title: "NATS and links",
      about:
        "1 while a server reaches NATS, 1 while it hears of each change of created keys, and its links: `direct` is a connection, `bus` a slower way through NATS, `none` no connection at all.",
      unit: "short",
      queries: [
        ["NATS of {{instance}}", `moorage_cluster_bus_up{${SERVER}}`],
        ["created keys of {{instance}}", `moorage_cluster_keys{${SERVER},state="current"}`],
        ["{{way}} of {{instance}}", `sum by (instance, way) (moorage_cluster_links{${SERVER}})`],
      ],
    },
    {
      title: "Jobs for other servers",
      about:
        "Jobs per second that a worker of another server took: `out` where they entered, `in` where they ran. Each is counted once as a job, where it entered.",
      unit: "reqps",
      queries: [
        [
          "{{direction}} of {{instance}}",
          `sum by (instance, direction) (${rate(`moorage_cluster_jobs_total{${SERVER}}`)})`,
        ],
      ],
    },
    {
      title: "Refusals and offers",
      about:
        "Jobs per second that another server refused because its slots were taken, and free slots offered to waiting jobs of other servers. Many refusals mean that servers know each other's load too late.",
      unit: "ops",
      queries: [
        ["refused {{direction}}", `sum by (direction) (${rate(`moorage_cluster_refusals_total{${SERVER}}`)})`],
        ["offer {{outcome}}", `sum by (outcome) (${rate(`moorage_cluster_offers_total{${SERVER}}`)})`],
      ],
    },
    {
      title: "Round trips and silence",
      about:
        "The round trip over each link, and how long each server has been silent. Servers send a message each second.",
      unit: "s",
      queries: [
        ["{{instance}} to {{peer}}", `moorage_cluster_link_rtt_seconds{${SERVER}}`],
        ["silence of {{peer}} at {{instance}}", `moorage_cluster_gossip_age_seconds{${SERVER}}`],
      ],
    },
    {
      title: "Bytes between servers",
      about:
        "Bytes per second that each server sends to the others over links, and through NATS where there is no other way.",
      unit: "Bps",
      queries: [
        [
          "{{instance}} to {{peer}}",
          `sum by (instance, peer) (${rate(`moorage_cluster_link_bytes_total{${SERVER},direction="out"}`)})`,
        ],
      ],
    },
  ],
};
