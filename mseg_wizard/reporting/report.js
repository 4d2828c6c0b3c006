// What the report can do beyond being read: see labels more or less through, one class alone, large, and found by a word.
// The pages are whole without it. It loads nothing, stores nothing and sends nothing.
"use strict";

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// The labels over the image, as two pictures of which one can be seen through.
for (const panels of document.querySelectorAll(".panels")) {
  const [photo, labels, overlay] = panels.children;
  const over = labels.firstElementChild.cloneNode();
  over.alt = "";
  const under = photo.firstElementChild.cloneNode();
  under.alt = overlay.firstElementChild.alt;
  overlay.replaceChildren(under, over);
  overlay.classList.add("stack");
}

// A filter that keeps the pixels of one colour and makes all others transparent.
document.body.insertAdjacentHTML("beforeend",
  `<svg width="0" height="0" aria-hidden="true"><filter id="alone" color-interpolation-filters="sRGB">
     <feComponentTransfer result="hits"><feFuncR type="discrete"/><feFuncG type="discrete"/><feFuncB type="discrete"/></feComponentTransfer>
     <feColorMatrix values="0 0 0 0 0  0 0 0 0 0  0 0 0 0 0  1 1 1 0 -2" result="mask"/>
     <feComposite in="SourceGraphic" in2="mask" operator="in"/>
   </filter></svg>`);

const opacity = make("input", { type: "range", min: 0, max: 100, value: 55, id: "opacity" });
const search = make("input", { type: "search", id: "search", placeholder: "a class, a file, a dataset" });
const status = make("span", { id: "status" });
status.setAttribute("role", "status");
document.querySelector("main").before(make("div", { className: "tools" },
  make("label", {}, "Search ", search), make("label", {}, "Labels over the image ", opacity), status));

const see = () => document.body.style.setProperty("--opacity", opacity.value / 100);
opacity.addEventListener("input", see);
see();

let alone = null;

// Shows what fits the word that is searched and the class that is alone.
const choose = () => {
  const word = search.value.trim().toLowerCase();
  let shown = 0;
  for (const item of document.querySelectorAll("[data-words]")) {
    const figure = item.tagName === "FIGURE";
    const has = !alone || !figure || [...item.querySelectorAll("[data-color]")].some((row) => row.dataset.color === alone.color);
    item.hidden = !(item.dataset.words.includes(word) && has);
    shown += figure && !item.hidden;
  }
  status.replaceChildren();
  if (alone) {
    status.append(make("span", { className: "swatch" }), `only ${alone.name} `);
    status.firstChild.style.background = alone.color;
    if (alone.page) status.append(make("a", { href: alone.page }, "its page"), " ");
    status.append(make("button", { type: "button", onclick: () => only(null) }, "show all classes"), " ");
  }
  if (word || alone) status.append(`${shown} picture${shown === 1 ? "" : "s"}`);
};
search.addEventListener("input", choose);

const only = (found) => {
  alone = found;
  document.body.classList.toggle("alone", Boolean(found));
  if (found) {
    [1, 3, 5].forEach((at, number) => {
      const level = parseInt(found.color.slice(at, at + 2), 16);
      const table = Array.from({ length: 256 }, (_, value) => Number(Math.abs(value - level) < 2)).join(" ");
      document.querySelectorAll("#alone feComponentTransfer > *")[number].setAttribute("tableValues", table);
    });
  }
  choose();
};

// A class in a legend: by mouse or by keys.
for (const row of document.querySelectorAll(".legend [data-color]")) {
  const page = row.querySelector("a");
  const found = { color: row.dataset.color, name: row.dataset.name, page: page && page.href };
  const button = make("button", { type: "button", title: "this class alone" }, ...row.childNodes);
  if (page) page.replaceWith(...page.childNodes);
  button.addEventListener("click", () => only(alone && alone.color === found.color ? null : found));
  row.append(button);
}

// A picture, large.
const large = make("dialog", { id: "large" });
document.body.append(large);
large.addEventListener("click", () => large.close());
for (const link of document.querySelectorAll(".panels a")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const copy = make("div", { className: link.className });
    for (const picture of link.children) copy.append(picture.cloneNode());
    const [{ width, height }] = [link.firstElementChild.getBoundingClientRect()];
    copy.style.setProperty("--shape", width / height);
    large.replaceChildren(copy);
    large.showModal();
  });
}
