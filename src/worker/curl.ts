const KEY = '-H "Authorization: Bearer $API_KEY"';

/** Returns a command line that posts JSON. */
export function jsonCurl(url: string, body: object): string {
  return `curl ${shellWord(url)} ${KEY} -H 'Content-Type: application/json' -d ${shellWord(JSON.stringify(body))}`;
}

/** Returns a command line that posts a form; the value of a file's field is `@` and its path. */
export function formCurl(url: string, fields: readonly (readonly [name: string, value: string])[]): string {
  return ["curl", KEY, shellWord(url), ...fields.map(([name, value]) => formField(name, value))].join(" ");
}

function formField(name: string, value: string): string {
  // curl's -F reads a file after a leading @ or <, and a type after a semicolon; only our own file may mean that.
  const isPlain = /^@?[\w./:-]+$/.test(value) && (name === "file" || !value.startsWith("@"));
  if (!isPlain && name === "file" && value.startsWith("@"))
    return `-F ${shellWord(`file=@"${value.slice(1).replace(/["\\]/g, "\\$&")}"`)}`;
  return isPlain ? `-F ${name}=${value}` : `--form-string ${shellWord(`${name}=${value}`)}`;
}

/** Returns text as one word of a POSIX shell. Model names come from the model server and may hold anything. */
export function shellWord(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
