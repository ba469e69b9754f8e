// What a JavaScript probe is given, and how it hands over what it read: rows as JSON, bytes as base64. run.py judges them.
import { readFileSync, writeFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

export const described = JSON.parse(readFileSync(process.argv[2], "utf-8"));
const require = createRequire(join(process.cwd(), "package.json"));

// The files of a split in order, absolute: the patterns have one star or more, in the name of the file.
export function files(split = "train", config = "default", root = described.repository) {
  const [folder, name] = described.patterns[config][split].split("/");
  const pattern = new RegExp("^" + name.replace(/\.parquet$/, "").split("*").map((part) => part.replace(/[.]/g, "\\.")).join(".*") + "\\.parquet$");
  return readdirSync(join(root, folder)).filter((file) => pattern.test(file)).sort().map((file) => join(root, folder, file));
}

export function version(name) {
  return JSON.parse(readFileSync(join(process.cwd(), "node_modules", name, "package.json"), "utf-8")).version;
}

// A value as JSON: bytes as {"bytes": base64}, whole numbers as numbers, anything else that is not plain by its kind.
export function plain(value) {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && "bytes" in value) return plain(value.bytes);
  if (typeof value.toArray === "function") return [...value].map(plain);
  return value;
}

export const COLUMNS = ["image_id", "image", "caption", "cuis", "manual_cuis", "modality", "region"];

export function row(record) {
  return Object.fromEntries(COLUMNS.map((name) => [name, plain(record[name])]));
}

export async function attempt(probe) {
  try {
    return await probe();
  } catch (error) {
    return `${error.name}: ${error.message}`.slice(0, 160);
  }
}

// Peak resident memory over that before, in MB, while `read` goes through the heavy files.
export async function measure(read) {
  const heavy = files("train", "default", described.heavy);
  const before = process.memoryUsage().rss;
  let peak = before;
  const begin = performance.now();
  for (const file of heavy) {
    await read(file);
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  peak = Math.max(peak, process.resourceUsage().maxRSS * 1024);
  const size = heavy.reduce((total, file) => total + readFileSync(file).length, 0);
  return { files_mb: Math.round(size / 1e6), over_mb: Math.round((peak - before) / 1e6), seconds: Math.round((performance.now() - begin) / 100) / 10 };
}

export function report(findings) {
  writeFileSync(process.argv[3], JSON.stringify(findings));
}
