// Opens pages in Chromium as a person would, by keyboard, and prints what came of it.
// node look.mjs CHROMIUM FILE…   the files: well, late, hostile, old, models, big
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import puppeteer from "puppeteer-core";

const [chromium, well, late, hostile, old, models, big] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-gpu"],
});
const found = { requests: [], errors: [], axe: {} };

const open = async (file, hash = "") => {
  const page = await browser.newPage();
  page.on("request", (request) => found.requests.push(request.url()));
  page.on("pageerror", (error) => found.errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") found.errors.push(message.text());
  });
  await page.setViewport({ width: 1200, height: 900 });
  await page.goto(`file://${file}${hash}`);
  return page;
};
const shown = (page) => page.$$eval("#rows > tr:not(.more)", (rows) => rows.filter((row) => !row.hidden).length);
const tabTo = async (page, wanted) => {
  for (let n = 0; n < 60; n += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
    if (at === wanted) return true;
  }
  return false;
};

// By keyboard alone: search, open the details, read the days.
let page = await open(well);
found.live = await page.$eval("body", (body) => body.classList.contains("live"));
found.headline = await page.$eval("h1", (node) => node.textContent);
found.reachedSearch = await tabTo(page, "q");
await page.keyboard.type("dataset_0003");
found.shown = await shown(page);
found.reachedRow = await tabTo(page, "dataset_0003");
await page.keyboard.press("Enter");
found.opened = await page.$$eval("tr.more", (rows) => rows.length);
for (let n = 0; n < 5; n += 1) {
  await page.keyboard.press("Tab");
  if (await page.evaluate(() => document.activeElement.type === "range")) break;
}
await page.keyboard.press("ArrowLeft");
found.day = await page.$eval("output", (node) => node.textContent);
await page.reload();
found.shownAfterReload = await shown(page);
found.openedAfterReload = await page.$$eval("tr.more", (rows) => rows.length);
found.address = await page.evaluate(() => location.hash);

// A card of what is late leads to its details.
page = await open(late);
found.late = await page.$$eval(".card", (cards) => cards.map((card) => card.innerText));
await page.click(".card a");
found.openedByCard = await page.$$eval("tr.more h3", (nodes) => nodes.map((node) => node.textContent));

page = await open(hostile, "#open=cats");
found.pwned = await page.evaluate(() => window.pwned === true);
found.images = await page.$$eval("img", (nodes) => nodes.length);
found.links = await page.$$eval("a[href]", (nodes) => nodes.map((node) => node.getAttribute("href")).filter((one) => !one.startsWith("#")));
found.wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

page = await open(old);
found.oldLive = await page.$eval("body", (body) => body.classList.contains("live"));
found.oldHeadline = await page.$eval("h1", (node) => node.textContent);
found.oldStates = await page.$$eval("#rows > tr > td:nth-child(2)", (cells) => [...new Set(cells.map((cell) => cell.textContent))]);
found.oldGreen = await page.$$eval("#rows > tr > td:nth-child(2)", (cells) => [...new Set(cells.map((cell) => getComputedStyle(cell).color))]);

// A model says what it is late with, and what it is made from.
page = await open(models, "#open=made_of_it");
found.modelsFirst = await page.$$eval("#rows > tr:not(.more) > th > button", (nodes) => nodes.map((node) => node.textContent).slice(0, 2));
found.modelRow = await page.$eval("#rows > tr:nth-child(2)", (row) => row.innerText);
found.modelMore = await page.$$eval("tr.more h3", (nodes) => nodes.map((node) => node.textContent));
found.modelCards = await page.$$eval(".card", (cards) => cards.map((card) => card.innerText));

// A thousand, from the file to a filter that answers.
const before = Date.now();
page = await open(big);
await page.type("#q", "dataset_0777");
found.bigShown = await shown(page);
found.bigMs = Date.now() - before;

for (const [name, scheme, width] of [["light", "light", 1200], ["dark", "dark", 1200], ["phone", "light", 390]]) {
  const each = await browser.newPage();
  await each.setBypassCSP(true); // axe is not of the page
  await each.setViewport({ width, height: 900 });
  await each.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await each.goto(`file://${late}#open=dataset_0000`);
  await each.evaluate(axe);
  const result = await each.evaluate(() => axe.run());
  found.axe[name] = result.violations.map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 200)}`);
  found[`${name}Wide`] = await each.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}
await browser.close();
console.log(JSON.stringify(found));
