export { lexer, type Token } from "marked";
