import { findCommand } from "./cli/commands.ts";
import { OPERATOR_COMMANDS } from "./cli/operator-commands.ts";
import { runServer } from "./serve.ts";

const argv = process.argv.slice(2);
const command = findCommand(argv[0] ?? "", OPERATOR_COMMANDS);
await (command ? command.run(argv.slice(1)) : runServer(argv));
