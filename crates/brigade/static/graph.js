// A large drawing is moved and scaled by hand; without scripts it scrolls.

/** From so many boxes and arrows on, only what is in sight is drawn. */
const MANY = 1500;
/** Units of the drawing in one pixel from which on no word can be read. */
const FAR = 4;

export function graphs() {
  for (const svg of document.querySelectorAll(".graph svg:not([data-held])")) hold(svg);
}

function hold(svg) {
  svg.dataset.held = "";
  const [, , wide, high] = svg.getAttribute("viewBox").split(" ").map(Number);
  // What is seen whole as it is stays so.
  if (wide <= svg.parentElement.clientWidth && high <= innerHeight * 0.75) return;
  svg.classList.add("fits");
  // What is wide and low takes no more height than it has.
  svg.style.height = `${Math.min(innerHeight * 0.75, Math.max(high, 160))}px`;
  const box = { x: 0, y: 0, w: wide, h: high };
  const sight = new Sight(svg);
  let due = false;
  const show = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      svg.setAttribute("viewBox", `${box.x} ${box.y} ${box.w} ${box.h}`);
      sight.only(box);
    });
  };
  // A small one is not blown up.
  const room = svg.getBoundingClientRect();
  if (room.width > wide && room.height > high) Object.assign(box, { w: room.width, h: room.height });
  const scale = Math.max(wide / room.width, high / room.height);
  if (scale > 2) Object.assign(box, { w: room.width * 2, h: room.height * 2 });
  show();
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const by = Math.exp(event.deltaY * 0.0015);
    zoom(by, event.clientX, event.clientY);
  }, { passive: false });
  let from = null;
  svg.addEventListener("pointerdown", (event) => {
    if (event.button === 0) from = { x: event.clientX, y: event.clientY, moved: false };
  });
  svg.addEventListener("pointermove", (event) => {
    if (!from) return;
    const rect = svg.getBoundingClientRect();
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    if (!from.moved && Math.hypot(dx, dy) < 4) return;
    if (!from.moved) svg.setPointerCapture(event.pointerId);
    box.x -= dx * box.w / rect.width;
    box.y -= dy * box.h / rect.height;
    from = { x: event.clientX, y: event.clientY, moved: true };
    show();
  });
  const done = (event) => {
    if (from?.moved) svg.addEventListener("click", (click) => click.preventDefault(), { once: true, capture: true });
    from = null;
    if (svg.hasPointerCapture(event.pointerId)) svg.releasePointerCapture(event.pointerId);
  };
  svg.addEventListener("pointerup", done);
  svg.addEventListener("pointercancel", done);
  svg.closest(".graph").addEventListener("keydown", (event) => {
    if (event.key === "+" || event.key === "=") zoom(0.8);
    if (event.key === "-") zoom(1.25);
    if (event.key === "0") { Object.assign(box, { x: 0, y: 0, w: wide, h: high }); show(); }
  });
  // What gets the focus comes into sight.
  svg.addEventListener("focusin", (event) => {
    const rect = event.target.querySelector?.("rect");
    if (!rect) return;
    const [x, y] = [Number(rect.getAttribute("x")), Number(rect.getAttribute("y"))];
    if (x < box.x || y < box.y || x > box.x + box.w - 60 || y > box.y + box.h - 30) {
      Object.assign(box, { x: x - box.w / 2, y: y - box.h / 2 });
      show();
    }
  });

  function zoom(by, clientX, clientY) {
    const rect = svg.getBoundingClientRect();
    const [px, py] = [((clientX ?? rect.x + rect.width / 2) - rect.x) / rect.width, ((clientY ?? rect.y + rect.height / 2) - rect.y) / rect.height];
    const w = Math.min(Math.max(box.w * by, 80), Math.max(wide, 400) * 4);
    const h = w * box.h / box.w;
    box.x += (box.w - w) * px;
    box.y += (box.h - h) * py;
    box.w = w;
    box.h = h;
    show();
  }
}

/** Hides what lies outside of the piece that is seen, where there is so much that drawing it all takes long. */
class Sight {
  constructor(svg) {
    this.svg = svg;
    this.items = [...svg.querySelectorAll("a.node, path.edge")].map((node) => ({ node, ...bounds(node) }));
    if (this.items.length < MANY) this.items = [];
    // What is hidden takes no focus: whoever goes by the keyboard gets everything.
    document.addEventListener("keydown", (event) => {
      if (["Tab", "j", "k", "h", "l"].includes(event.key)) for (const item of this.items) this.set(item, false);
    }, { capture: true });
  }

  only({ x, y, w, h }) {
    if (!this.items.length) return;
    this.svg.classList.toggle("far", w / this.svg.clientWidth > FAR);
    const [left, top, right, bottom] = [x - w / 4, y - h / 4, x + w * 1.25, y + h * 1.25];
    for (const item of this.items) this.set(item, item.right < left || item.left > right || item.bottom < top || item.top > bottom);
  }

  set(item, out) {
    // What was drawn anew meanwhile is in sight again.
    if (item.node.classList.contains("out") !== out) item.node.classList.toggle("out", out);
  }
}

function bounds(node) {
  const rect = node.querySelector("rect");
  if (rect) {
    const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => Number(rect.getAttribute(name)));
    return { left: x, top: y, right: x + w, bottom: y + h };
  }
  const [x1, y1, c1, , c2, , x2, y2] = node.getAttribute("d").match(/-?\d+/g).map(Number);
  return { left: Math.min(x1, c1, c2, x2), top: Math.min(y1, y2), right: Math.max(x1, c1, c2, x2), bottom: Math.max(y1, y2) };
}
