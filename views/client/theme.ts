// Sets the chosen theme before the page is drawn. It is a script and no module, so that the page does not flash.
{
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset["theme"] = chosen;
}
