// Sorting, filtering, another baseline, hidden columns, two rows head to head. The report can be read without this
// script. The view is kept in the URL's fragment, so that a link shows the same, with what is unfolded. Nothing is loaded
// or stored, and text never becomes markup.
(() => {
  "use strict";

  const TRAITS = ["language", "class", "group"];
  const names = new Intl.Collator("en", { numeric: true });
  const tables = new Map(); // name -> what `read` found in a table
  const plain = () => ({ filters: {}, sort: {}, baseline: {}, hide: {}, open: new Set(), versus: [] });
  const view = plain();
  let bar, status, versus;

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (tag, properties = {}, ...children) => {
    const { data = {}, aria = {}, ...others } = properties;
    const element = Object.assign(document.createElement(tag), others);
    for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value);
    Object.assign(element.dataset, data);
    element.append(...children);
    return element;
  };
  const shownName = (row) => {
    const copy = row.querySelector('[data-c="name"]').cloneNode(true);
    all("small, .tag", copy).forEach((extra) => extra.remove());
    return copy.textContent.replace(/\s+/g, " ").trim();
  };
  const calledName = (row) => row.dataset.called ?? shownName(row);
  const number = (row, column) => {
    const cell = row.querySelector(`[data-c="${column}"]`);
    return cell?.dataset.v ? Number(cell.dataset.v) : null;
  };
  const digits = (ratio) => ratio.toFixed(ratio >= 0.5 ? 2 : 3);

  // ---------------------------------------------------------------- what is in a table

  function read(table) {
    const body = table.tBodies[0];
    const heads = all("thead [data-c]", table);
    const columns = heads.map((head) => ({ id: head.dataset.c, head, title: titleOf(head, table) }));
    const rows = [...body.rows];
    let heading = "";
    for (const row of rows) {
      if (row.classList.contains("heading")) heading = row.textContent.trim();
      else row.under = heading;
    }
    return { name: table.dataset.name, baseline: table.dataset.baseline, table, body, columns, rows };
  }

  function titleOf(head, table) {
    const over = all("thead [data-over]", table).find((each) => each.dataset.over.split(" ").includes(head.dataset.c));
    const text = (element) => element.firstChild.textContent.trim();
    return over ? `${text(over)}: ${text(head)}` : text(head);
  }

  // ---------------------------------------------------------------- what the view does to the tables

  function show() {
    for (const of of tables.values()) {
      filter(of);
      sort(of);
      hideColumns(of);
      rebase(of);
    }
    versus?.show();
    all("input[data-trait]", bar).forEach((box) => {
      box.checked = view.filters[box.dataset.trait]?.has(box.value) ?? false;
    });
  }

  function filter({ rows, note }) {
    const chosen = TRAITS.filter((trait) => view.filters[trait]?.size);
    let hidden = 0;
    let heading = null;
    for (const row of rows) {
      if (row.classList.contains("heading")) {
        heading = row;
        row.hidden = true;
        continue;
      }
      row.hidden = chosen.some((trait) => !view.filters[trait].has(row.dataset[trait]));
      hidden += row.hidden;
      if (heading && !row.hidden) heading.hidden = false;
    }
    const count = rows.filter((row) => row.under !== undefined).length;
    note.textContent = hidden ? `${hidden} of ${count} rows are hidden by the filter` : "";
  }

  function sort({ name, body, rows, columns }) {
    const [column, order] = (view.sort[name] ?? "").split(" ");
    const at = columns.some((each) => each.id === column) ? column : null;
    for (const { id, head } of columns) {
      if (id === at) head.setAttribute("aria-sort", order === "up" ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    for (const small of all("small.under", body)) small.remove();
    if (!at) {
      for (const row of rows) body.append(row);
      return;
    }
    const lines = rows.filter((row) => !row.classList.contains("heading"));
    const numeric = lines.some((row) => number(row, at) !== null);
    const key = (row) => (numeric ? number(row, at) : row.querySelector(`[data-c="${at}"]`)?.textContent.trim() || null);
    const by = (one, two) => (numeric ? one - two : names.compare(one, two)) * (order === "up" ? 1 : -1);
    const keyed = lines.map((row) => [key(row), row]);
    const known = keyed.filter(([value]) => value !== null).sort((one, two) => by(one[0], two[0]));
    const unknown = keyed.filter(([value]) => value === null);
    for (const [, row] of [...known, ...unknown]) body.append(row);
    for (const row of rows) {
      if (row.classList.contains("heading")) row.hidden = true;
      else if (row.under) row.cells[0].append(make("small", { className: "under", textContent: row.under }));
    }
  }

  function hideColumns({ name, table, columns, boxes }) {
    const hidden = view.hide[name] ?? new Set();
    for (const { id } of columns) {
      const away = hidden.has(id);
      for (const cell of all(`[data-c="${CSS.escape(id)}"]`, table)) cell.hidden = away;
      if (boxes?.[id]) boxes[id].checked = !away;
    }
    for (const cell of all("[data-over]", table)) {
      const ids = cell.dataset.over === "*" ? columns.map((column) => column.id) : cell.dataset.over.split(" ");
      const left = ids.filter((id) => !hidden.has(id)).length;
      cell.hidden = left === 0;
      if (left) cell.colSpan = left;
    }
  }

  function rebase({ baseline, rows, choice, said }) {
    if (!baseline) return;
    const wanted = view.baseline[baseline];
    const to = rows.find((row) => "like" in row.dataset && row.id === wanted && !("isBaseline" in row.dataset));
    for (const row of rows) {
      const changed = to && [to.dataset.like, undefined].includes(row.dataset.like); // a row without it has only published numbers
      for (const cell of all("[data-of]", row)) put(cell, changed ? ratioText(cell, row, to) : null);
      for (const cell of all("[data-says]", row)) put(cell, changed ? (row === to ? "baseline" : "no verdict") : null);
    }
    if (choice) choice.value = to ? wanted : "";
    if (said) {
      said.textContent = to
        ? `Ratios to ${shownName(to)} are computed in this page from medians: they have no intervals and give no` +
          " verdicts. Ranks, duets and plots do not change."
        : "";
      said.hidden = !to;
    }
  }

  function ratioText(cell, row, to) {
    const [mine, theirs] = [number(row, cell.dataset.of), number(to, cell.dataset.of)];
    const ratio = mine !== null && theirs ? mine / theirs : null;
    return { ratio, text: ratio === null ? "" : `${"times" in cell.dataset ? "×" : ""}${digits(ratio)}` };
  }

  // Replace what the report says by a text, or restore it.
  function put(cell, what) {
    cell.kept ??= { nodes: [...cell.childNodes], v: cell.dataset.v };
    cell.replaceChildren(...(what === null ? cell.kept.nodes : [what.text ?? what]));
    cell.classList.toggle("anew", Boolean(what?.text));
    const v = what === null ? cell.kept.v : what.ratio;
    if (v === undefined || v === null) delete cell.dataset.v;
    else cell.dataset.v = v;
  }

  // ---------------------------------------------------------------- the view in the URL's fragment

  function write() {
    const parts = new URLSearchParams();
    for (const [trait, values] of Object.entries(view.filters)) for (const value of values) parts.append(trait, value);
    for (const [name, value] of Object.entries(view.sort)) parts.set(`sort.${name}`, value);
    for (const [name, value] of Object.entries(view.baseline)) parts.set(`baseline.${name}`, value);
    for (const [name, ids] of Object.entries(view.hide)) if (ids.size) parts.set(`hide.${name}`, [...ids].join(" "));
    if (view.open.size) parts.set("open", [...view.open].join(" "));
    if (view.versus.length) parts.set("versus", view.versus.join(" "));
    const anchor = location.hash.slice(1).split("&")[0];
    const fragment = `#${anchor}${parts.size ? `&${parts}` : ""}`;
    if (fragment !== location.hash && (fragment !== "#" || location.hash)) history.replaceState(null, "", fragment);
  }

  function parse() {
    const [anchor, ...rest] = location.hash.slice(1).split("&");
    if (rest.length) {
      Object.assign(view, plain());
      for (const [key, value] of new URLSearchParams(rest.join("&"))) {
        const [kind, name] = [key.split(".")[0], key.slice(key.indexOf(".") + 1)];
        if (TRAITS.includes(key)) (view.filters[key] ??= new Set()).add(value);
        else if (key === "open") view.open = new Set(value.split(" "));
        else if (key === "versus") view.versus = value.split(" ").slice(0, 2);
        else if (kind === "hide") view.hide[name] = new Set(value.split(" "));
        else if (kind === "sort" || kind === "baseline") view[kind][name] = value;
      }
    }
    if (rest.length) unfold();
    show();
    reveal(anchor, rest.length > 0);
  }

  // Open what the view names, and nothing else that has a name.
  function unfold() {
    for (const each of all("details[id]")) each.open = view.open.has(each.id);
    for (const each of all("input.more")) each.checked = view.open.has(each.id);
  }

  // Only what a reader opens is kept: not what a link or the printer does.
  function keepUnfolded() {
    const keep = (id, open) => {
      open ? view.open.add(id) : view.open.delete(id);
      write();
    };
    addEventListener("click", ({ target }) => {
      const fold = target.closest?.("summary")?.parentElement;
      if (fold?.id) keep(fold.id, !fold.open);
    });
    for (const each of all("input.more")) each.addEventListener("change", () => keep(each.id, each.checked));
  }

  // Unfold what a link leads to; the browser scrolls there by itself unless the fragment also holds a view.
  function reveal(anchor, scroll) {
    const target = document.getElementById(anchor);
    for (let each = target; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
    if (scroll) target?.scrollIntoView();
  }

  function changed(words) {
    show();
    write();
    status.textContent = words;
  }

  // ---------------------------------------------------------------- controls

  function addFilters() {
    status = make("p", { className: "unseen", role: "status" });
    bar = make("section", { className: "controls", aria: { label: "Choose what is shown" } });
    const rows = all("tr[data-class]");
    for (const trait of TRAITS) {
      const values = [...new Set(rows.map((row) => row.dataset[trait]).filter(Boolean))].sort(names.compare);
      if (values.length < 2) continue;
      const boxes = values.map((value) => {
        const box = make("input", { type: "checkbox", value, data: { trait } });
        box.onchange = () => {
          const chosen = (view.filters[trait] ??= new Set());
          box.checked ? chosen.add(value) : chosen.delete(value);
          changed(`${all("tr[data-class]").filter((row) => !row.hidden).length} of ${rows.length} rows are shown`);
        };
        return make("label", {}, box, ` ${value}`);
      });
      bar.append(make("fieldset", {}, make("legend", { textContent: trait }), ...boxes));
    }
    const reset = make("button", { type: "button", textContent: "Reset the view" });
    reset.onclick = () => {
      Object.assign(view, plain());
      unfold();
      changed("Everything is shown as in the report");
    };
    const words = " The page's address keeps filters, order, columns, baseline and what is unfolded: a link shows it.";
    bar.append(make("p", {}, reset, words), status);
    document.querySelector("table[data-name]").closest("section").before(bar);
  }

  function addSorting(of) {
    for (const { id, head, title } of of.columns) {
      const button = make("button", { type: "button" }, ...head.childNodes);
      button.onclick = () => {
        const first = id === "name" ? "up" : "down";
        const next = { [first]: first === "up" ? "down" : "up" };
        const [column, order] = (view.sort[of.name] ?? "").split(" ");
        const then = column === id ? next[order] : first;
        if (then) view.sort[of.name] = `${id} ${then}`;
        else delete view.sort[of.name];
        changed(then ? `Sorted by ${title}, ${then === "up" ? "ascending" : "descending"}` : "Sorted as in the report");
      };
      head.replaceChildren(button);
    }
  }

  function addTools(of) {
    of.note = make("span", { className: "note" });
    of.boxes = {};
    const boxes = of.columns.filter(({ id }) => id !== "name").map(({ id, title }) => {
      const box = (of.boxes[id] = make("input", { type: "checkbox", checked: true }));
      box.onchange = () => {
        const hidden = (view.hide[of.name] ??= new Set());
        box.checked ? hidden.delete(id) : hidden.add(id);
        changed(`${title} is ${box.checked ? "shown" : "hidden"}`);
      };
      return make("label", {}, box, ` ${title}`);
    });
    const columns = make("details", {}, make("summary", { textContent: "Columns" }), make("div", {}, ...boxes));
    const few = boxes.length < 4; // nobody needs to hide one of so few
    const tools = [...(of.baseline === of.name ? addBaseline(of) : []), ...(few ? [] : [columns]), of.note];
    const place = of.table.closest(".scroll");
    place.before(make("div", { className: "tools" }, ...tools));
    if (of.said) place.after(of.said);
  }

  function addBaseline(of) {
    const usual = of.rows.filter((row) => "isBaseline" in row.dataset).map(shownName).join(", ");
    const rows = of.rows.filter((row) => "like" in row.dataset && !("isBaseline" in row.dataset));
    if (!rows.length) return [];
    const options = rows.map((row) => make("option", { value: row.id, textContent: shownName(row) }));
    of.choice = make("select", {}, make("option", { value: "", textContent: usual }), ...options);
    of.said = make("p", { className: "footnote recomputed", hidden: true });
    of.choice.onchange = () => {
      if (of.choice.value) view.baseline[of.name] = of.choice.value;
      else delete view.baseline[of.name];
      changed(of.choice.value ? "Ratios are recomputed, without intervals" : "Ratios as in the report");
    };
    return [make("label", {}, "Baseline ", of.choice)];
  }

  // ---------------------------------------------------------------- two rows head to head

  // A ratio of two rows by way of their common baseline: its interval holds whenever both of theirs do.
  function ratioOf(one, other) {
    const numbers = (row) => (row.dataset.ratio ?? "").split(" ").map(Number);
    const by = [one, other].map((row) => row.dataset.by).filter(Boolean);
    const known = one.dataset.ratio && other.dataset.ratio && one !== other;
    if (!known || pointOf(one) !== pointOf(other) || new Set(by).size !== 1) return null;
    const [[value, low, high, level], [value2, low2, high2, level2]] = [numbers(one), numbers(other)];
    return { value: value / value2, low: low / high2, high: high / low2, level: Math.min(level, level2), by: by[0] };
  }

  // A row whose own rates are only noise is still compared in duets.
  const pointOf = (row) => row.dataset.like ?? row.dataset.at;

  function comparison(one, other) {
    const found = ratioOf(one, other);
    if (!found) return "Not compared directly: no interval leads from one to the other.";
    const cost = found.by.endsWith("cost");
    const places = (low, high) => (low.toFixed(2) === high.toFixed(2) || low < 0.5 ? 3 : 2);
    const ends = (low, high) =>
      `${Number((found.level * 100).toPrecision(3))} % CI ${low.toFixed(places(low, high))}–${high.toFixed(places(low, high))}`;
    const [mine, theirs] = [one, other].map(calledName);
    if (found.low <= 1 && found.high >= 1)
      return `No measurable difference between ${mine} and ${theirs} (ratio ${digits(found.value)}, ${ends(found.low, found.high)}).`;
    const up = found.value >= 1;
    const [times, range] = up ? [found.value, ends(found.low, found.high)] : [1 / found.value, ends(1 / found.high, 1 / found.low)];
    const [more, less] = up ? [mine, theirs] : [theirs, mine];
    return cost
      ? `${more} needs ${digits(times)} times the CPU of ${less} per request (${range}).`
      : `${more} answers ${digits(times)} times as many requests per second as ${less} (${range}).`;
  }

  function addVersus() {
    const of = [...tables.values()].filter(({ name, baseline, rows }) => name === baseline && rows.filter(pointOf).length > 1);
    if (!of.length || document.querySelector(".compared")) return; // a comparison's two servers stand side by side above
    const rowsOf = (table) => table.rows.filter(pointOf);
    const option = (row) => make("option", { value: row.id, textContent: calledName(row) });
    const titleOfTable = (table) => table.table.closest("section").querySelector("h2").textContent;
    const first = make("select", { aria: { label: "One row" } }, ...of.map((table) => make("optgroup", { label: titleOfTable(table) }, ...rowsOf(table).map(option))));
    const second = make("select", { aria: { label: "Another row" } });
    const said = make("p", { className: "said", role: "status" });
    const body = make("tbody");
    const heads = [make("th", { scope: "col" }), make("th", { scope: "col" })];
    const head = make("thead", {}, make("tr", {}, make("th", { scope: "col", className: "name", textContent: "figure" }), ...heads));
    const grid = make("table", { className: "numbers compact" }, make("caption", { textContent: "Two rows side by side" }), head, body);
    const section = make("section", { className: "versus", id: "versus" }, make("h2", { textContent: "Head to head" }),
      make("p", {}, first, " against ", second), said, make("div", { className: "scroll", tabIndex: 0 }, grid));
    const show = () => {
      const [wanted, against] = view.versus.map((id) => document.getElementById(id));
      const table = of.find((each) => rowsOf(each).includes(wanted)) ?? of[0];
      const rows = rowsOf(table);
      const one = rows.includes(wanted) ? wanted : rows.find((row) => !("isBaseline" in row.dataset));
      const others = rows.filter((row) => row !== one);
      const other = others.includes(against) ? against : others[0];
      first.value = one.id;
      second.replaceChildren(...others.map(option));
      second.value = other.id;
      said.textContent = comparison(one, other);
      [one, other].forEach((row, number) => (heads[number].textContent = [calledName(row), ...all(".tag", row).map((tag) => tag.textContent)].join(", ")));
      body.replaceChildren(...["rate", "cpu", "rss"].map((id) => {
        const cells = [one, other].map((row) => make("td", {}, ...row.querySelector(`[data-c="${id}"]`).cloneNode(true).childNodes));
        cells.forEach((cell) => all("i", cell).forEach((bar) => bar.remove()));
        return make("tr", {}, make("th", { scope: "row", className: "name", textContent: table.columns.find((column) => column.id === id).title }), ...cells);
      }));
    };
    const choose = () => {
      view.versus = [first.value, second.value];
      show();
      write();
    };
    first.onchange = second.onchange = choose;
    versus = { show };
    document.querySelector(".answers").after(section);
  }

  function unfoldForPrint() {
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = all("details:not([open])");
      for (const each of closed) each.open = true;
    });
    addEventListener("afterprint", () => {
      for (const each of closed) each.open = false;
    });
  }

  for (const table of all("table[data-name]")) tables.set(table.dataset.name, read(table));
  if (tables.size) {
    addFilters();
    for (const of of tables.values()) {
      addSorting(of);
      addTools(of);
    }
    addVersus();
    keepUnfolded();
    parse();
    addEventListener("hashchange", () => {
      parse();
      write();
    });
  }
  unfoldForPrint();
})();
