/** @jsxImportSource @kitajs/html */

/** The page that shows how programs use this server. */
export function UseIt(): string {
  return (
    <section class="page" aria-labelledby="use-title">
      <h2 id="use-title">Use it</h2>
    </section>
  ) as string;
}
