/* Tables that sort by a click on a column's head, and figures that grow with a click. No more is needed, nothing is
   fetched; without scripts the pages are whole. */
"use strict";

const NUMBER = /^[-+\u2212]?[\d,]*\.?\d+(e[-+]?\d+)?\s*%?$/i;

function valueOf(text) {
  return NUMBER.test(text) ? parseFloat(text.replaceAll(",", "").replace("\u2212", "-")) : NaN;
}

/* Numbers by size before texts by their alphabet; what is empty or missing comes last, whichever way one sorts. */
function compare(a, b, direction) {
  const missing = (text) => text === "" || text === "NaN";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  const [x, y] = [valueOf(a), valueOf(b)];
  if (!isNaN(x) && !isNaN(y)) return direction * (x - y);
  if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
  return direction * a.localeCompare(b, undefined, { numeric: true });
}

function sortBy(table, header, column) {
  const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  const body = table.tBodies[0];
  const text = (row) => row.cells[column].textContent.trim();
  body.append(...[...body.rows].sort((a, b) => compare(text(a), text(b), direction)));
}

/* Tables whose cells span several rows or columns have no order of rows. */
function makeSortable(table) {
  const body = table.tBodies[0];
  if (!table.tHead || !body || body.rows.length < 2 || table.querySelector("[rowspan], [colspan]")) return;
  const heads = [...table.tHead.rows].reverse().flatMap((row) => [...row.cells]);
  const columns = table.tHead.rows[0].cells.length;
  for (let column = 0; column < columns; column += 1) {
    const named = [...table.tHead.rows].map((row) => row.cells[column]).filter((cell) => cell && cell.textContent.trim());
    const header = named.at(-1);
    if (!header || !heads.includes(header)) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sortBy(table, header, column));
  }
}

function makeGrowing(image) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "grows";
  button.setAttribute("aria-label", `Enlarge: ${image.alt}`);
  image.replaceWith(button);
  button.append(image);
  button.addEventListener("click", () => {
    const dialog = document.createElement("dialog");
    dialog.className = "grown";
    const end = document.createElement("button");
    end.type = "button";
    end.textContent = "\u00d7";
    end.setAttribute("aria-label", "Close");
    dialog.append(image.cloneNode(), end);
    dialog.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  });
}

document.querySelectorAll(".bd-article table").forEach(makeSortable);
document.querySelectorAll(".bd-article img:not(a img, .sd-card img)").forEach(makeGrowing);
