const KEY = '-H "Authorization: Bearer $API_KEY"';

/** A line to paste that posts JSON. */
export function jsonCurl(url: string, body: object): string {
  return `curl ${quoted(url)} ${KEY} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))}`;
}

/** A line to paste that posts a form; the value of a file's field is `@` and its path. */
export function formCurl(url: string, fields: readonly (readonly [name: string, value: string])[]): string {
  return ["curl", KEY, quoted(url), ...fields.map(([name, value]) => formField(name, value))].join(" ");
}

function formField(name: string, value: string): string {
  // To curl's -F a leading @ or < is a file to read and a semicolon begins a type: nothing but our own file may be one.
  const isPlain = /^@?[\w./:-]+$/.test(value) && (name === "file" || !value.startsWith("@"));
  return isPlain ? `-F ${name}=${value}` : `--form-string ${quoted(`${name}=${value}`)}`;
}

/** For a shell: a model's name is the model server's word. */
function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
