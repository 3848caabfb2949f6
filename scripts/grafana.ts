import { join } from "node:path";
import { grafanaDashboard } from "./grafana/dashboard.ts";

// `bun scripts/grafana.ts`: writes deploy/monitoring/grafana.json. A test compares that file with this output.
const path = join(import.meta.dir, "../deploy/monitoring/grafana.json");
await Bun.write(path, `${JSON.stringify(grafanaDashboard(), undefined, 2)}\n`);
