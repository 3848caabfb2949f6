/** The theme, which is the system's until somebody chooses. Remembered in this browser. */
export function createThemeSwitch() {
  return {
    isDark: isDarkNow(),
    toggle(): void {
      this.isDark = !this.isDark;
      const theme = this.isDark ? "dark" : "light";
      document.documentElement.dataset["theme"] = theme;
      localStorage.setItem("theme", theme);
      document.dispatchEvent(new Event("themechange"));
    },
  };
}

function isDarkNow(): boolean {
  const chosen = document.documentElement.dataset["theme"];
  return chosen === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
}
