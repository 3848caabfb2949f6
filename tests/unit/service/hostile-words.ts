/** Words that some quoting gets wrong: of shells, of systemd, of XML, of YAML, of the command line of Windows. */
export const HOSTILE_WORDS: readonly string[] = [
  "plain",
  "two words",
  "  blanks around  ",
  `a "quoted" word`,
  "it's",
  "back\\slash",
  "ends with a backslash\\",
  `\\"`,
  `a\\\\"b\\\\`,
  "100% of %h and %%",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell would expand it
  "$HOME ${HOME} $$",
  "`id`",
  "a;b&c|d<e>f",
  "# no comment",
  "key: value",
  "@-:+!",
  "ünïcödé 日本 🚢",
  "[a]*?{b}",
  "~/x",
  "-",
];
