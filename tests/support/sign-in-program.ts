import { callBack, signInAt } from "./sign-in.ts";

// `bun sign-in-program.ts URL` is the browser of programs under test. It signs in with the key in SIGN_IN_KEY and then calls
// the program's callback as a browser would. With SIGN_IN_PRINTS it prints the callback's URL instead.

const [url = ""] = process.argv.slice(2);
const { callback } = await signInAt(url, { key: process.env["SIGN_IN_KEY"] ?? "" });
if (process.env["SIGN_IN_PRINTS"] === undefined) await callBack(callback);
else console.log(callback.href);
