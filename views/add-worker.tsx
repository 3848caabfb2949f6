/** @jsxImportSource @kitajs/html */

/** The page that shows the line with which a worker joins. */
export function AddWorker(): string {
  return (
    <section class="page" aria-labelledby="add-title">
      <h2 id="add-title">Add a worker</h2>
    </section>
  ) as string;
}
