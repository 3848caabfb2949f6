// The menu of a row: one element for all rows of a list, shown beside the button that opens it.

/** The least distance between the menu and the edge of the window, in pixels. */
const MARGIN_PX = 8;

/** What the menu acts on. */
export interface MenuSubject {
  readonly key: string;
  readonly id: string;
}

const NOTHING: MenuSubject = Object.freeze({ key: "", id: "" });

/** `x-data="rowMenu"` around a list and its menu. */
export function createRowMenu() {
  let opener: HTMLElement | undefined;
  return {
    /** The row whose menu is open, as it was when the menu was opened. */
    subject: NOTHING,
    isMenuOf(key: string): boolean {
      return this.subject.key === key;
    },
    /** Opens the menu of a row, and closes it if it is open already. */
    openMenu(button: HTMLElement, subject: MenuSubject): void {
      const menu = menuBeside(button);
      if (this.subject.key === subject.key) return menu.hidePopover();
      opener = button;
      this.subject = Object.isFrozen(subject) ? subject : Object.freeze({ ...subject });
      menu.showPopover();
      // Keys that are pressed at once are the menu's already.
      menu.focus();
      // The items that a row does not have are hidden a moment after it is set.
      requestAnimationFrame(() => {
        place(menu, button);
        if (document.activeElement === menu) itemsOf(menu)[0]?.focus();
      });
    },
    /** Called when the menu was opened or closed, by the page or by the browser. */
    toggled(event: ToggleEvent): void {
      if (event.newState === "open") {
        window.addEventListener("scroll", hideOnScroll, { capture: true, once: true, passive: true });
        return;
      }
      this.subject = NOTHING;
      const { activeElement } = document;
      const menu = event.currentTarget as HTMLElement; // the menu has the listener
      if (activeElement === null || activeElement === document.body || menu.contains(activeElement)) opener?.focus();
      opener = undefined;
    },
    /** Moves between the items: arrows, Home, End, and the first letter of an item. Tab and Escape close the menu. */
    moved(event: KeyboardEvent): void {
      const menu = event.currentTarget as HTMLElement; // the menu has the listener
      const items = itemsOf(menu);
      const at = items.indexOf(document.activeElement as HTMLElement); // -1 for anything else
      const next = wanted(event.key, at, items);
      if (event.key === "Tab" || event.key === "Escape") {
        // Focus returns to the button, and Tab goes on from there.
        if (event.key === "Escape") event.preventDefault();
        menu.hidePopover();
      }
      if (next === undefined) return;
      event.preventDefault();
      items[next]?.focus();
    },
    /** Closes the menu before one of its items acts, so that a dialog gives the focus back to the button. */
    chosen(event: Event): void {
      if (!(event.target instanceof Element) || event.target.closest("[role=menuitem]") === null) return;
      const button = opener;
      (event.currentTarget as HTMLElement).hidePopover(); // the menu has the listener
      button?.focus();
    },
  };
}

function wanted(key: string, at: number, items: readonly HTMLElement[]): number | undefined {
  const { length } = items;
  if (length === 0) return undefined;
  if (key === "ArrowDown") return (at + 1) % length;
  if (key === "ArrowUp") return (at - 1 + length) % length;
  if (key === "Home") return 0;
  if (key === "End") return length - 1;
  if (!/^\p{L}$/u.test(key)) return undefined;
  const order = items.map((_, index) => (at + 1 + index) % length);
  return order.find((index) => items[index]?.textContent?.trim().toLowerCase().startsWith(key.toLowerCase()));
}

/** A menu beside a button that has moved away would belong to another row. */
function hideOnScroll(): void {
  document.querySelector<HTMLElement>("[role=menu]:popover-open")?.hidePopover();
}

function menuBeside(button: HTMLElement): HTMLElement {
  // The markup of every list with such buttons has one menu.
  return button.closest("[data-menu]")?.querySelector("[role=menu]") as HTMLElement;
}

function itemsOf(menu: HTMLElement): readonly HTMLElement[] {
  const items = menu.querySelectorAll<HTMLElement>("[role=menuitem]");
  return [...items].filter((item) => item.offsetParent !== null || item.getClientRects().length > 0);
}

/** Places the menu below the button, or above it where there is no room. */
function place(menu: HTMLElement, button: HTMLElement): void {
  const { top, bottom, right } = button.getBoundingClientRect();
  const { offsetHeight: height, offsetWidth: width } = menu;
  const isBelow = bottom + height + MARGIN_PX < window.innerHeight;
  menu.style.top = `${Math.max(MARGIN_PX, isBelow ? bottom + 4 : top - height - 4)}px`;
  menu.style.left = `${Math.max(MARGIN_PX, Math.min(right - width, window.innerWidth - width - MARGIN_PX))}px`;
}
