import { FairPolicy } from "../support/fair-policy.ts";
import { describeQueuePolicy } from "./queue-policy.ts";

describeQueuePolicy("least service first", (capacity) => (host) => new FairPolicy({ capacity }, host));
