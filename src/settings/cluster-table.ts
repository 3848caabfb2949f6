import { duration, parsed, path, word } from "./kinds.ts";
import { natsUrls } from "./nats-url.ts";
import { listener, peerAddress } from "./network.ts";
import { type Kind, setting, unset } from "./setting.ts";

const name: Kind<string> = {
  schema: parsed((text) => (/^[A-Za-z0-9_-]{1,32}$/.test(text) ? text : undefined)),
  placeholder: "name",
  accepts: "1 to 32 letters, digits, hyphens and underscores",
};

/** The settings with which several servers act as one. */
export const clusterTable = {
  natsServers: unset(natsUrls, {
    variable: "NATS_URL",
    absent: [],
    isSecret: true,
    says: "not set; this server is the only one",
    help: "NATS servers through which this server and others act as one. User and password, or a token, stand before the @. All servers of a cluster need the same keys.",
  }),
  natsCredentials: unset(path, {
    variable: "NATS_CREDS",
    needs: "NATS_URL",
    absent: undefined,
    help: "Credentials file for NATS, with a JWT and an NKEY seed, in place of a user in NATS_URL.",
  }),
  natsAuthority: unset(path, {
    variable: "NATS_CA",
    needs: "NATS_URL",
    absent: undefined,
    says: "not set; with tls:// in NATS_URL, the certificate authorities of the system count",
    help: "PEM file with the certificate authority of the NATS servers. It makes TLS mandatory, whatever NATS_URL says.",
  }),
  clusterName: setting(name, {
    variable: "CLUSTER_NAME",
    needs: "NATS_URL",
    default: "moorage",
    help: "Name of the cluster. Servers with the same name and NATS act as one; it begins the subjects that they use.",
  }),
  clusterListener: setting(listener, {
    variable: "CLUSTER_LISTEN",
    needs: "NATS_URL",
    default: "8088",
    help: "Address on which the other servers of the cluster connect to this one. It must not be reachable from the internet. A bare port uses FLY_PRIVATE_IP, else the first private address of this machine.",
  }),
  clusterAddress: unset(peerAddress, {
    variable: "CLUSTER_ADDRESS",
    needs: "NATS_URL",
    absent: undefined,
    says: "the address of CLUSTER_LISTEN",
    help: "Address that the other servers are told to connect to, if it differs from the one that this server listens on.",
  }),
  clusterOpen: setting(word(["true", "false"]), {
    variable: "CLUSTER_OPEN",
    needs: "NATS_URL",
    default: "false",
    help: "Whether a NATS server on another machine may be used without credentials. Anyone who reaches it can then join the cluster.",
  }),
  keysStaleMs: setting(duration("0s", "365d"), {
    variable: "KEYS_STALE_MAX",
    needs: "NATS_URL",
    default: "1h",
    help: "How long keys that were created in the cluster are accepted as last known while this server cannot reach NATS. Afterwards they get 503. Keys of API_KEY, CLIENT_KEY, ADMIN_KEY and KEYS_FILE are always accepted.",
  }),
  region: unset(name, {
    variable: "REGION",
    platformVariable: "FLY_REGION",
    absent: undefined,
    says: "FLY_REGION, else not set",
    help: "Where this server is. Servers of one region prefer each other's workers to those of other regions.",
  }),
};
