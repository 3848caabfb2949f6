import { runServer } from "./serve.ts";

runServer(process.argv.slice(2));
