import { duration, secretKey, word } from "../settings/kinds.ts";
import { setting, unset } from "../settings/setting.ts";
import { workerTable } from "../worker/worker-table.ts";

/** Every setting of the doctor, in the order of the reference. Settings that it shares with the worker are the worker's. */
export function doctorTable() {
  const { server, clientKeys, joinToken, stateFile, id, httpsProxy, httpProxy, noProxy } = workerTable("");
  return {
    server,
    clientKeys,
    joinToken,
    stateFile,
    id,
    apiKey: unset(secretKey, {
      variable: "API_KEY",
      absent: undefined,
      isSecret: true,
      says: "not set; checks that need it are then skipped",
      help: "Key that the server requires from clients, for the checks that send jobs.",
    }),
    adminKey: unset(secretKey, {
      variable: "ADMIN_KEY",
      absent: undefined,
      isSecret: true,
      says: "the value of API_KEY",
      help: "Key that the server requires from operators, for the check that watches its state.",
    }),
    httpsProxy,
    httpProxy,
    noProxy,
    idleMs: setting(duration("0s", "1h"), {
      variable: "DOCTOR_IDLE",
      flag: "idle",
      default: "75s",
      help: "Time for which quiet connections are held, to see whether something cuts them; 0 skips this.",
    }),
    json: setting(
      { ...word(["true", "false"]), isSwitch: true },
      {
        variable: "DOCTOR_JSON",
        flag: "json",
        default: "false",
        help: "Whether the report is one JSON document, for programs.",
      },
    ),
  };
}
