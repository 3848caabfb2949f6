/** The section that is shown. It is in the page's address, so that it can be linked to and survives a reload. */
export function createTabs(first: string) {
  return (known: string) => ({
    tab: first,
    init(): void {
      const names = known.split(" ");
      const read = (): void => {
        const wanted = location.hash.slice(1);
        this.tab = names.includes(wanted) ? wanted : first;
      };
      read();
      window.addEventListener("hashchange", () => {
        read();
        window.scrollTo({ top: 0 });
      });
    },
    isOpen(name: string): boolean {
      return this.tab === name;
    },
    /** For `aria-current`. */
    current(name: string): "page" | "false" {
      return this.tab === name ? "page" : "false";
    },
  });
}
