import { FirstCome } from "../../src/pool/policies/first-come.ts";
import { describeQueuePolicy } from "./queue-policy.ts";

describeQueuePolicy("first come, first served", (capacity) => () => new FirstCome(capacity));
