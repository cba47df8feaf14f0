// Sets the theme a person chose before the first paint; without a choice the system's is followed.
(() => {
  try {
    const chosen = localStorage.getItem("tiercel.theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage is forbidden here: the system's theme it is.
  }
})();
