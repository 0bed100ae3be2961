(function () {
  const svg = document.getElementById("plan");
  const whole = svg.viewBox.baseVal;
  const first = [whole.x, whole.y, whole.width, whole.height];
  let view = first.slice();
  const bar = document.querySelector(".scale");
  const show = () => {
    svg.setAttribute("viewBox", view.join(" "));
    // marks grow more slowly than the land between them
    svg.style.setProperty("--zoom", Math.pow(view[2] / first[2], 0.8));
    const sizes = [20000, 10000, 5000, 2000, 1000, 500, 200, 100, 50, 20];
    const metres = sizes.find((size) => size / scale() < 160) || 10;
    bar.style.width = metres / scale() + "px";
    bar.textContent = metres >= 1000 ? metres / 1000 + " km" : metres + " m";
  };
  const scale = () => Math.max(view[2] / svg.clientWidth, view[3] / svg.clientHeight);
  const zoom = (factor, x, y) => {
    const width = Math.min(first[2], Math.max(first[2] / 200, view[2] * factor));
    const ratio = width / view[2];
    view = [x - (x - view[0]) * ratio, y - (y - view[1]) * ratio, width, view[3] * ratio];
    if (width === first[2]) { view = first.slice(); }
    show();
  };
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = svg.getBoundingClientRect();
    const unit = scale();
    const x = view[0] + view[2] / 2 + (event.clientX - box.left - box.width / 2) * unit;
    const y = view[1] + view[3] / 2 + (event.clientY - box.top - box.height / 2) * unit;
    zoom(Math.exp(event.deltaY / 500), x, y);
  }, { passive: false });
  document.querySelectorAll("[data-zoom]").forEach((button) => {
    button.addEventListener("click", () => {
      zoom(Number(button.dataset.zoom), view[0] + view[2] / 2, view[1] + view[3] / 2);
    });
  });
  let last = null;
  svg.addEventListener("pointerdown", (event) => {
    last = [event.clientX, event.clientY];
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!last) { return; }
    const unit = scale();
    view[0] -= (event.clientX - last[0]) * unit;
    view[1] -= (event.clientY - last[1]) * unit;
    last = [event.clientX, event.clientY];
    show();
  });
  ["pointerup", "pointercancel"].forEach((name) => svg.addEventListener(name, () => { last = null; }));
  document.querySelectorAll("[data-layer]").forEach((box) => {
    const layer = svg.querySelector("g." + box.dataset.layer);
    const update = () => { layer.style.display = box.checked ? "" : "none"; };
    box.addEventListener("change", update);
    update();
  });
  window.addEventListener("resize", show);
  show();
})();
