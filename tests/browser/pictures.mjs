// Takes the pictures of the docs: node pictures.mjs CHROMIUM PAGE FOLDER
// PAGE is `.catflap/page-late.html` of a `make run` that is not half an hour old.
import { join, resolve } from "node:path";
import puppeteer from "puppeteer-core";

const [chromium, file, folder] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-gpu"],
});
const take = async (name, { width, height, scheme = "light", open = "", fullPage = false, media }) => {
  const page = await browser.newPage();
  await page.setViewport({ width, height, deviceScaleFactor: 1.5 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.emulateTimezone("America/New_York");
  if (media) await page.emulateMediaType(media);
  await page.goto(`file://${resolve(file)}${open}`);
  if (!(await page.$eval("body", (body) => body.classList.contains("live")))) {
    throw new Error(`${file} is older than half an hour: make it anew`);
  }
  await page.screenshot({ path: join(folder, `page-${name}.png`), fullPage });
  await page.close();
};
await take("light", { width: 1100, height: 760 });
await take("dark", { width: 1100, height: 900, scheme: "dark", open: "#open=flights", fullPage: true });
await take("phone", { width: 390, height: 844, fullPage: true });
await take("print", { width: 794, height: 1123, media: "print", fullPage: true });
await browser.close();
