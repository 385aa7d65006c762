"use strict";

// A cell sorts by its data-value: as a number where every value of the column is one, otherwise as text. Empty ones are last either way.
function sortBy(table, column, descending) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, value: row.cells[column].dataset.value }));
  const isNumeric = rows.every(({ value }) => value === "" || Number.isFinite(Number(value)));
  const compare = isNumeric ? (a, b) => Number(a) - Number(b) : (a, b) => a.localeCompare(b, undefined, { numeric: true });
  rows.sort((a, b) => {
    if (a.value === "" || b.value === "") return (a.value === "") - (b.value === "");
    return descending ? compare(b.value, a.value) : compare(a.value, b.value);
  });
  body.append(...rows.map(({ row }) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortBy(table, column, descending);
      const order = descending ? "descending" : "ascending";
      document.getElementById("announcement").textContent = `${table.caption.textContent}: by ${button.textContent}, ${order}`;
    });
  });
}
