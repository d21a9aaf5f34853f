"use strict";
// A pointer over a chart reads its values. Without this script the page loses only that.
for (const plot of document.querySelectorAll(".plot")) {
  let data = null;
  const cursor = document.createElement("i");
  const tip = document.createElement("div");
  cursor.className = "cursor";
  tip.className = "tip";
  const format = (v) => v === null ? "—" : Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("en") : String(v).replace("-", "−");
  plot.addEventListener("pointermove", (event) => {
    data ??= JSON.parse(plot.dataset.chart);
    const box = plot.getBoundingClientRect();
    const first = data.x[0], last = data.x[data.x.length - 1];
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const wanted = first + share * (last - first);
    let at = 0;
    data.x.forEach((x, i) => { if (Math.abs(x - wanted) < Math.abs(data.x[at] - wanted)) at = i; });
    const place = last > first ? (data.x[at] - first) / (last - first) : 0.5;
    cursor.style.left = `${100 * place}%`;
    const row = (text, strong) => {
      const line = document.createElement("div");
      line.textContent = text;
      if (strong) line.className = "strong";
      return line;
    };
    tip.replaceChildren(row(`step ${data.x[at]}`, true), ...data.n.map((name, i) => row(`${name}  ${format(data.y[i][at])}`)));
    tip.style.left = place < 0.5 ? `calc(${100 * place}% + 10px)` : "auto";
    tip.style.right = place < 0.5 ? "auto" : `calc(${100 - 100 * place}% + 10px)`;
    plot.append(cursor, tip);
  });
  plot.addEventListener("pointerleave", () => { cursor.remove(); tip.remove(); });
}
