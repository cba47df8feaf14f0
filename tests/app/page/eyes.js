// What a careful person would notice on the page; each looks at all that is seen now and returns what it found.
({
  // Texts whose colour is too near to what is behind it (WCAG 2 AA: 4.5, or 3 for large text).
  faint() {
    const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const painted = (colours) => {
      pen.clearRect(0, 0, 1, 1);
      for (const colour of colours) {
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
      }
      return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (rgb) => {
      const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      const layers = [];
      for (let one = element; one; one = one.parentElement) layers.unshift(getComputedStyle(one).backgroundColor);
      return layers;
    };
    return this.seen(document.body).flatMap((node) => {
      const style = getComputedStyle(node.parentElement);
      const ground = behind(node.parentElement);
      const [a, b] = [light(painted([...ground, style.color])), light(painted(ground))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const size = parseFloat(style.fontSize);
      const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
      return ratio < least ? [`${node.data.trim()} ${style.color} ${ratio.toFixed(2)}`] : [];
    });
  },

  // Numbers that nobody can ask, but for those that people, models, shells and the server's own words say.
  unasked() {
    const free =
      "[data-askable], .asked, .answer, pre, input, textarea, label, legend, code, [data-engine] .name, .tries td:last-child";
    return this.seen(document.querySelector("main"))
      .filter((node) => /[0-9]/.test(node.data.replace(/p50|p95/g, "")) && !node.parentElement.closest(free))
      .map((node) => node.data);
  },

  // What every number says when it gets the focus: its name, the words, window and source, and what describes it.
  told() {
    const numbers = [...document.querySelectorAll("main button[data-askable]")].filter((one) => one.checkVisibility());
    return numbers.map((one) => {
      one.focus();
      const tip = document.getElementById("tip");
      const facts = [...tip.querySelectorAll("dd")].map((fact) => fact.textContent);
      const words = tip.hidden ? "" : tip.querySelector("p").textContent;
      return [one.getAttribute("aria-label") || one.innerText, words, facts, one.getAttribute("aria-describedby")];
    });
  },

  // Every text that is seen.
  seen(root) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      const hidden = !element.checkVisibility() || element.closest(".unseen, .skip, option, script, noscript");
      if (walker.currentNode.data.trim() && !hidden) found.push(walker.currentNode);
    }
    return found;
  },
});
