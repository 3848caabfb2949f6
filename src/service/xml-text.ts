/** Returns text as the content of an XML element. Throws a `RangeError` for characters that XML cannot contain. */
export function xmlText(text: string): string {
  if (NOT_IN_XML.test(text) || !text.isWellFormed()) throw new RangeError("a control character");
  return text.replace(/[&<>"\r]/g, (char) => `&#${char.charCodeAt(0)};`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_IN_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
