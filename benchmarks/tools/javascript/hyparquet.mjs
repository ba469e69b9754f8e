import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { attempt, described, files, measure, report, row } from "./case.mjs";

async function read(path, options = {}) {
  return parquetReadObjects({ file: await asyncBufferFromFile(path), compressors, ...options });
}

async function readAll(options) {
  const rows = [];
  for (const file of files()) rows.push(...(await read(file, options)).map(row));
  return rows;
}

const metadata = await parquetMetadataAsync(await asyncBufferFromFile(files()[0]));
const pair = metadata.key_value_metadata.find((entry) => entry.key === "huggingface");
const names = JSON.parse(pair.value).info.features.modality.names;
const without = await attempt(async () => (await parquetReadObjects({ file: await asyncBufferFromFile(files()[0]) })).length);
report({
  rows: await readAll({ utf8: false }),
  broken: { "utf8 left out": await attempt(() => readAll({})) },
  found: {
    names: JSON.stringify(names) === JSON.stringify(described.names.modality) ? "in the metadata" : "wrong",
    "without hyparquet-compressors": typeof without === "number" ? `${without} rows` : without,
    memory: await measure(async (file) => (await read(file, { columns: ["image"], utf8: false })).length),
  },
});
