import { tableFromIPC } from "apache-arrow";
import { readFileSync } from "node:fs";
import { readParquet } from "parquet-wasm";
import { described, files, measure, report, row } from "./case.mjs";

function read(path) {
  return tableFromIPC(readParquet(readFileSync(path)).intoIPCStream());
}

const rows = [];
let names = null;
for (const file of files()) {
  const table = read(file);
  names = JSON.parse(table.schema.metadata.get("huggingface") ?? "null")?.info.features.modality.names;
  for (const record of table) rows.push(row(record.toJSON()));
}
report({
  rows,
  found: {
    names: JSON.stringify(names) === JSON.stringify(described.names.modality) ? "in the metadata" : "lost",
    memory: await measure((file) => read(file).numRows),
  },
});
