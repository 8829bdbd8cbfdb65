// A list of things that are on or off, beside what one of them is.

/** Draw anew without taking the focus from where it is in the list. */
function keepFocus(element, draw) {
  const all = () => [...element.querySelectorAll("button, input")];
  const place = all().indexOf(document.activeElement);
  draw();
  if (place >= 0) all()[place]?.focus();
}

const parted = (key) => [key.slice(0, key.indexOf(":")), key.slice(key.indexOf(":") + 1)];
