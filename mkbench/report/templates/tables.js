"use strict";
// Sorting and searching of tables; without it, the page shows all rows in their order.
// The address says what is sorted and searched, so that a view can be sent: #table=NAME&column=2&order=descending&search=vit
(() => {
  const number = (cell) => parseFloat(cell.textContent.replace("\u2212", "-"));
  const state = new URLSearchParams(location.hash.slice(1));

  function compare(left, right, column, sign) {
    const [a, b] = [left.cells[column], right.cells[column]];
    if (!a.classList.contains("number")) return sign * a.textContent.localeCompare(b.textContent);
    const [x, y] = [number(a), number(b)];
    if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y); // what is absent stays last
    return sign * (x - y);
  }

  function sort(box, column, order) {
    const table = box.querySelector("table");
    const headings = [...table.tHead.rows[0].cells];
    if (!headings[column]) return;
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    rows.sort((left, right) => compare(left, right, column, order === "ascending" ? 1 : -1));
    table.tBodies[0].append(...rows);
    [...table.tBodies].slice(1).forEach((body) => body.remove());
    headings.forEach((cell, place) => {
      if (place === column) cell.setAttribute("aria-sort", order);
      else cell.removeAttribute("aria-sort");
    });
  }

  function search(box, words) {
    const rows = [...box.querySelectorAll("tbody tr")];
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row) => {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
    });
    const shown = rows.filter((row) => !row.hidden).length;
    box.querySelector("output").textContent = wanted.length ? `${shown} of ${rows.length} rows` : "";
  }

  function keep(box, changes) {
    if (state.get("table") !== box.id) [...state.keys()].forEach((key) => state.delete(key));
    Object.entries({ table: box.id, ...changes }).forEach(([key, value]) => state.set(key, value));
    history.replaceState(null, "", `#${state}`);
  }

  document.querySelectorAll("[data-sortable]").forEach((box) => {
    [...box.querySelectorAll("thead th")].forEach((cell, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const first = cell.classList.contains("number") ? "descending" : "ascending";
        const other = first === "descending" ? "ascending" : "descending";
        const order = cell.getAttribute("aria-sort") === first ? other : first;
        sort(box, column, order);
        keep(box, { column, order });
      });
    });
  });

  document.querySelectorAll("[data-searchable]").forEach((box) => {
    const label = document.createElement("label");
    const field = document.createElement("input");
    field.type = "search";
    label.append("Search ", field);
    const bar = document.createElement("div");
    bar.className = "search";
    bar.append(label, document.createElement("output"));
    box.prepend(bar);
    field.addEventListener("input", () => {
      search(box, field.value);
      keep(box, { search: field.value });
    });
  });

  const asked = document.getElementById(state.get("table"));
  if (asked && "sortable" in asked.dataset) {
    asked.closest("details")?.setAttribute("open", "");
    if (state.has("column")) {
      sort(asked, Number(state.get("column")), state.get("order") === "ascending" ? "ascending" : "descending");
    };
    const field = asked.querySelector("input");
    if (field && state.has("search")) {
      field.value = state.get("search");
      search(asked, field.value);
    }
    asked.scrollIntoView();
  }

  // Images that nobody scrolled to are read once the page stands: paper needs them.
  addEventListener("load", () => document.querySelectorAll("img").forEach((image) => (image.loading = "eager")));

  // Paper has nothing to click on; what figures say themselves, and configurations, stay folded.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("section:not(#provenance) > details:not([open])")];
    closed.forEach((one) => (one.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((one) => (one.open = false)));
})();
