"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const MINUTE = 60000;
const make = (tag, text, parent) => {
  const node = document.createElement(tag);
  if (text != null) node.textContent = text;
  if (parent) parent.append(node);
  return node;
};
const draw = (tag, attributes, parent) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (parent) parent.append(node);
  return node;
};
const rows = [...document.querySelectorAll("#rows > tr")];
const names = rows.map((row) => row.cells[0].firstChild.textContent.trim());
const isModel = rows.map((row) => row.querySelector("small") != null);
rows.forEach((row, at) => {
  const [head] = row.cells;
  head.scope = "row";
  const button = document.createElement("button");
  button.textContent = names[at];
  button.setAttribute("aria-expanded", "false");
  head.firstChild.replaceWith(button, isModel[at] ? " " : "");
  const why = data.whys[data.rows[at][5]];
  if (why) make("p", why, head).className = "why";
  for (const remark of data.rows[at][7] || []) make("p", remark, head).className = "why";
});
const texts = rows.map((row) => row.textContent.toLowerCase());
const times = [...document.querySelectorAll("time")].map((node) => {
  const row = node.closest("#rows > tr");
  const card = node.closest(".card");
  const name = card && card.querySelector("a").dataset.open;
  const at = row ? rows.indexOf(row) : name ? names.indexOf(name) : -1;
  return [node, new Date(node.textContent), at];
});

// The filter, in the address: a reload and a link keep it.
const hash = () => new URLSearchParams(location.hash.slice(1));
const keep = (changes) => {
  const all = hash();
  for (const [name, value] of Object.entries(changes)) {
    if (value) all.set(name, value);
    else all.delete(name);
  }
  history.replaceState(null, "", "#" + all);
};

// Times, in the reader's zone or the dataset's.
const formats = new Map();
const format = (zone, options) => {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) {
    const all = { hour12: false, ...options };
    if (zone) all.timeZone = zone;
    formats.set(key, new Intl.DateTimeFormat("en-GB", all));
  }
  return formats.get(key);
};
const DAY = { year: "numeric", month: "numeric", day: "numeric" };
const made = new Date(data.made * 1000);
const isToday = Math.abs(data.made - data.written) < 86400; // else its time is simulated
const said = (date, zone) => {
  const day = format(zone, DAY).format(date);
  const at = (days) => format(zone, DAY).format(new Date(made.getTime() + days * 864e5));
  const time = format(zone, { hour: "2-digit", minute: "2-digit" }).format(date);
  const near = isToday && [[0, "today"], [-1, "yesterday"], [1, "tomorrow"]].find(([n]) => day === at(n));
  const sameYear = date.getUTCFullYear() === new Date(data.written * 1000).getUTCFullYear();
  const written = { weekday: "short", day: "numeric", month: "short" };
  if (!sameYear) written.year = "numeric";
  const word = near ? near[1] : format(zone, written).format(date);
  return `${word} ${time}`;
};
const abbreviation = (date, zone) =>
  format(zone, { timeZoneName: "short" }).formatToParts(date)
    .find((part) => part.type === "timeZoneName").value;
const zoneOf = (at) => {
  if ($("zone").value !== "dataset" || at < 0) return "";
  return data.zones[data.rows[at][0]];
};
const writeTimes = () => {
  for (const [node, date, at] of times) {
    const zone = zoneOf(at);
    node.textContent = said(date, zone) + (zone ? ` ${abbreviation(date, zone)}` : "");
    node.dateTime = date.toISOString();
    node.title = date.toISOString();
  }
};

// How old the page is. Old pages are never green.
const lasting = (ms) => {
  const minutes = Math.max(0, Math.round(ms / MINUTE));
  if (minutes < 1) return "less than a minute";
  if (minutes < 90) return `${minutes} minute${minutes === 1 ? "" : "s"}`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
};
const headline = $("headline");
const first = headline.textContent;
const OLD = 30 * MINUTE;
const reckon = () => {
  const age = Date.now() - data.written * 1000;
  const lag = data.checked == null ? Infinity : (data.made - data.checked) * 1000;
  const isOld = age > OLD || age < -5 * MINUTE || age + lag > Math.max(OLD, data.stale * 1000);
  document.body.classList.toggle("live", !isOld);
  headline.textContent = isOld ? "Not known: this page is old" : first;
  headline.className = isOld ? "none" : data.tone;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const checked = data.checked == null ? "No check has finished yet."
    : `Last check ${said(new Date(data.checked * 1000), "")}.`;
  $("age").textContent = `As of ${said(made, "")} (${zone}), ${lasting(age)} ago. ${checked}`
    + (isOld ? ` It said then: ${first}. Ask for a new one.` : "");
  for (const row of rows) {
    const cell = row.cells[1];
    cell.dataset.said = cell.dataset.said || cell.firstChild.textContent;
    const held = cell.dataset.said;
    cell.firstChild.textContent = isOld && /^On time/.test(held) ? `Was ${held.toLowerCase()}` : held;
  }
};

// Filter.
const filter = () => {
  const words = $("q").value.toLowerCase().split(/\s+/).filter(Boolean);
  const team = $("team").value;
  const state = $("state").value;
  let shown = 0;
  rows.forEach((row, at) => {
    const fits = words.every((word) => texts[at].includes(word))
      && (!state || row.className === state)
      && (!team || row.cells[4].textContent === team);
    row.hidden = !fits;
    const more = $(`more-${at}`);
    if (more) more.hidden = !fits;
    shown += fits ? 1 : 0;
  });
  $("none").hidden = shown > 0;
  $("shown").textContent = shown === rows.length ? shown : `${shown} of ${rows.length}`;
};
const changed = () => {
  keep({ q: $("q").value, team: $("team").value, state: $("state").value, zone: $("zone").value });
  filter();
};

// Details: the second click.
const ago = (seconds) => {
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} d`;
};
const percent = (share) => (share == null ? "not known" : `${(share * 100).toFixed(share < 0.9995 ? 1 : 0)} %`);
const list = (parent, title, items) => {
  if (!items || !items.length) return;
  make("h3", title, parent);
  const node = make("ul", null, parent);
  for (const item of items) make("bdi", item, make("li", null, node));
};
const table = (parent, title, head, body) => {
  if (!body.length) return;
  make("h3", title, parent);
  const node = make("table", null, parent);
  const top = make("tr", null, make("thead", null, node));
  for (const name of head) make("th", name, top).scope = "col";
  const all = make("tbody", null, node);
  for (const cells of body) {
    const row = make("tr", null, all);
    cells.forEach((text) => make("td", text, row));
  }
};
const LETTERS = { k: "on time", w: "late (warning)", e: "late (error)", "-": "not watched" };
const HEIGHTS = { "-": 1, k: 3, w: 6, e: 10 };
const dayOf = (at) => new Date(made.getTime() - (29 - at) * 864e5);
const longDay = (day) => format("UTC", { day: "numeric", month: "long" }).format(day);
const hoursOf = (day, bad) => {
  const found = (bad || []).find((one) => one[0] === day.toISOString().slice(0, 10));
  if (!found) return "";
  return `, ${ago(found[1] + found[2])}` + (found[2] ? ` (${ago(found[2])} in error)` : "");
};
const bars = (graph, at) => {
  const letters = data.rows[at][6] || "k".repeat(30);
  graph.setAttribute("viewBox", "0 0 30 10");
  graph.setAttribute("preserveAspectRatio", "none");
  for (const [letter, height] of Object.entries(HEIGHTS)) {
    const path = letters.replace(new RegExp(letter + "+", "g"), (days, from) => `M${from} ${10 - height / 2}h${days.length} `)
      .match(/M[^ ]+ [^ ]+/g);
    if (path) draw("path", { class: letter === "-" ? "n" : letter, d: path.join("") }, graph);
  }
  return letters;
};
const sentence = (letters, at) => {
  const watched = letters.replace(/-/g, "").length;
  const good = letters.replace(/[^k]/g, "").length;
  if (!watched) return "not watched yet";
  const bad = data.full[at] && data.full[at].bad;
  const late = [...letters].map((letter, day) => (/[we]/.test(letter) ? longDay(dayOf(day)) + hoursOf(dayOf(day), bad) : "")).filter(Boolean);
  const named = late.slice(-5).join("; ");
  return `${good} of ${watched} days on time` + (named ? `; late on ${named}` : "") + (late.length > 5 ? `, and ${late.length - 5} days before` : "");
};
const strip = (parent, at) => {
  make("h3", "The last 30 days", parent);
  const graph = draw("svg", { class: "wide", "aria-hidden": "true" }, parent);
  const letters = bars(graph, at);
  const slider = make("input", null, parent);
  Object.assign(slider, { type: "range", min: 0, max: 29, value: 29 });
  slider.setAttribute("aria-label", "Day");
  const out = make("output", null, parent);
  const read = () => {
    const day = Number(slider.value);
    out.textContent = `${longDay(dayOf(day))}: ${LETTERS[letters[day]]}${hoursOf(dayOf(day), data.full[at].bad)}`;
    slider.setAttribute("aria-valuetext", out.textContent);
  };
  slider.addEventListener("input", read);
  const point = (event) => {
    const box = graph.getBoundingClientRect();
    const day = Math.floor(((event.clientX - box.left) / box.width) * 30);
    slider.value = Math.min(29, Math.max(0, day));
    read();
  };
  graph.addEventListener("pointermove", point);
  graph.addEventListener("pointerdown", point);
  read();
};
const plot = (parent, title, unit, points, bars) => {
  if (points.length < 2) return;
  const box = make("div", null, parent);
  make("h3", `${title} (${unit})`, box);
  const top = Math.max(...points.map((one) => one[1]), 1e-9);
  const [from, to] = [points[0][0], points[points.length - 1][0]];
  const graph = draw("svg", { class: "plot", viewBox: "0 0 340 130", role: "img" }, box);
  const x = (at) => 44 + (288 * (at - from)) / Math.max(1, to - from);
  const y = (value) => 108 - (98 * value) / top;
  draw("path", { class: "axis", d: "M44 8V108H332" }, graph);
  const shape = bars
    ? points.map(([at, value]) => `M${x(at).toFixed(1)} 108V${y(value).toFixed(1)}`).join("")
    : "M" + points.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
  draw("path", { d: shape }, graph);
  const write = (at, where, anchor, text) => { draw("text", { x: at, y: where, "text-anchor": anchor }, graph).textContent = text; };
  const number = (value) => (value >= 100 ? Math.round(value).toLocaleString("en-GB") : String(Math.round(value * 10) / 10));
  write(40, 14, "end", number(top));
  write(40, 110, "end", "0");
  write(44, 124, "start", said(new Date(from * 1000), ""));
  write(332, 124, "end", said(new Date(to * 1000), ""));
  graph.setAttribute("aria-label", `${title}: from 0 to ${number(top)} ${unit}, ${points.length} points`);
};
const link = (parent, text, address) => {
  const node = make("a", text, parent);
  node.href = address;
  node.rel = "noreferrer";
};
const stopped = (parent, one) => {
  make("h3", "Where it stopped", parent);
  make("bdi", one.headline, make("p", null, parent));
  make("p", `${one.stage || "stage not known"}: ${one.cause || "cause not known"}; incident ${one.id}, opened ${said(new Date(one.opened * 1000), "")}`, parent);
  if (one.acknowledged) make("bdi", `Acknowledged by ${one.acknowledged}`, make("p", null, parent));
  if (one.promised) make("bdi", `Time promised by ${one.promised}`, make("p", null, parent));
  if (one.note) make("bdi", `Note: ${one.note}`, make("p", null, parent));
  if (one.fix) link(make("p", null, parent), "The fix", one.fix);
  list(parent, "Evidence", one.evidence);
  make("h3", "Next step", parent);
  make("code", one.next, make("p", null, parent));
  if (one.runbook) link(make("p", null, parent), `Runbook: ${one.cause}`, one.runbook);
};
const details = (at) => {
  const [zone, promise, owner, month, run] = data.rows[at];
  const full = data.full[at];
  const row = document.createElement("tr");
  row.id = `more-${at}`;
  row.className = "more";
  const cell = make("td", null, row);
  cell.colSpan = 6;
  make("p", `Promise: ${data.promises[promise]} (${data.zones[zone]})`, cell);
  const [team, engineers, stakeholders] = data.owners[owner];
  make("bdi", `Owner: ${[team, engineers, stakeholders].filter(Boolean).join(", ")}`, make("p", null, cell));
  make("p", `Promise kept in the last 30 days: ${percent(month)} of due time`
    + (full && full.week != null ? `; in the last 7: ${percent(full.week)}` : ""), cell);
  if (run) make("p", `Newest pull: ${said(new Date((data.made - run[0] * 60) * 1000), "")}, ${run[1]}`, cell);
  if (!full) {
    const more = isModel[at] ? `catflap checks ${names[at]}` : `catflap runs ${names[at]}, catflap history ${names[at]}`;
    make("p", `More of it: catflap status, ${more}`, cell);
    return row;
  }
  if (full.incident) stopped(cell, full.incident);
  strip(cell, at);
  const plots = make("div", null, cell);
  plots.className = "plots";
  plot(plots, "Age of the newest row", "hours", full.lag.map(([when, age]) => [when, age / 3600]), false);
  plot(plots, "Rows a pull", "rows", full.runs.filter((one) => one[2] != null).map((one) => [one[0], one[2]]).reverse(), true);
  table(cell, "Pulls", ["Started", "Came to", "Took", "Requests"],
    full.runs.slice(0, 10).map((one) => [said(new Date(one[0] * 1000), ""), one[1], one[3] || "–", one[4]]));
  table(cell, "Days that were not good", ["Day (UTC)", "Late (warning)", "Late (error)"],
    full.bad.map((one) => [one[0], one[1] ? ago(one[1]) : "–", one[2] ? ago(one[2]) : "–"]));
  table(cell, "Incidents that are over", ["Late since", "For", "Cause"],
    full.lates.map((one) => [said(new Date(one[0] * 1000), ""), ago(one[1]), one[2] || "not known"]));
  table(cell, "Checks of the data (the newest result last)", ["Check", "State", "Is", "Must be", "Since", "History"],
    full.checks.map((one) => [one[0], one[1], one[2], one[3], one[4] ? said(new Date(one[4] * 1000), "") : "–", one[5]]));
  list(cell, "Made from", full.from);
  list(cell, "Used by", full.by);
  if (full.cost) list(cell, "Cost", [full.cost]);
  if (full.personal) list(cell, `Personal columns (catflap access ${names[at]} says who sees them)`, full.personal);
  return row;
};
const toggle = (at, open) => {
  const button = rows[at].querySelector("button");
  button.setAttribute("aria-expanded", String(open));
  const known = $(`more-${at}`);
  if (open && !known) rows[at].after(details(at));
  else if (!open && known) known.remove();
};
const opened = () => rows.map((row, at) => (row.querySelector("button").getAttribute("aria-expanded") === "true" ? names[at] : "")).filter(Boolean);
const read = () => {
  const all = hash();
  for (const id of ["q", "team", "state", "zone"]) $(id).value = all.get(id) || "";
  const wanted = (all.get("open") || "").split(",");
  names.forEach((name, at) => toggle(at, wanted.includes(name)));
  writeTimes();
  filter();
};

rows.forEach((row, at) => {
  const button = row.querySelector("button");
  button.addEventListener("click", () => {
    toggle(at, button.getAttribute("aria-expanded") !== "true");
    keep({ open: opened().join(",") });
  });
  const graph = draw("svg", { role: "img" }, row.cells[5]);
  graph.setAttribute("aria-label", sentence(bars(graph, at), at));
});
for (const one of document.querySelectorAll("[data-open]")) {
  one.addEventListener("click", (event) => {
    event.preventDefault();
    const at = names.indexOf(one.dataset.open);
    for (const id of ["q", "team", "state"]) $(id).value = "";
    changed();
    toggle(at, true);
    keep({ open: opened().join(",") });
    rows[at].scrollIntoView({ block: "start" });
    rows[at].querySelector("button").focus();
  });
}
$("filter").addEventListener("input", changed);
$("filter").addEventListener("submit", (event) => event.preventDefault());
$("zone").addEventListener("change", () => { changed(); writeTimes(); });
$("clear").addEventListener("click", () => {
  for (const id of ["q", "team", "state"]) $(id).value = "";
  changed();
  $("q").focus();
});
addEventListener("hashchange", read);
read();
reckon();
setInterval(reckon, 30000);
