import { downloadFile, listFiles } from "@huggingface/hub";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { attempt, described, report } from "./case.mjs";

const repo = { type: "dataset", name: "org/rocov2" };
const hubUrl = described.hub;
const listed = [];
for await (const file of listFiles({ repo, hubUrl, recursive: true })) if (file.type === "file") listed.push(file.path);

const digest = (data) => createHash("sha256").update(data).digest("hex");
let different = 0;
const parquet = listed.filter((path) => path.endsWith(".parquet"));
for (const path of parquet) {
  const blob = await attempt(() => downloadFile({ repo, path, hubUrl, xet: false }));
  const data = blob === null || typeof blob === "string" ? Buffer.from(String(blob)) : Buffer.from(await blob.arrayBuffer());
  if (digest(data) !== digest(readFileSync(join(described.repository, path)))) different += 1;
}
report({
  found: {
    images: different ? `${different} of ${parquet.length} files differ` : "files are equal",
    splits: `${listed.length} files listed, ${parquet.length} of them Parquet`,
    reads: "files of the Hub, no rows: pass them to hyparquet",
  },
});
