import * as duckdb from "@duckdb/duckdb-wasm/blocking";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readParquet } from "parquet-wasm";
import { attempt, files, report, row } from "./case.mjs";

const PATIENCE = 20_000;
const dist = join(process.cwd(), "node_modules", "@duckdb", "duckdb-wasm", "dist");
const bundle = (kind) => ({ mainModule: join(dist, `duckdb-${kind}.wasm`), mainWorker: "" });
const { createDuckDB, VoidLogger, NODE_RUNTIME } = duckdb.createDuckDB ? duckdb : duckdb.default;
const base = await createDuckDB({ mvp: bundle("mvp"), eh: bundle("eh") }, new VoidLogger(), NODE_RUNTIME);
await base.instantiate(() => {});
const connection = base.connect();
const [first] = files();

if (process.argv[4] === "read_parquet") {
  base.registerFileBuffer("train.parquet", readFileSync(first));
  console.log(await attempt(() => `${connection.query("SELECT count(*)::INT AS n FROM read_parquet('train.parquet')").get(0).n} rows`));
  process.exit(0);
}

// A call that waits for the network does not come back: it gets a process of its own.
const script = fileURLToPath(import.meta.url);
const child = spawnSync(process.execPath, [script, ...process.argv.slice(2, 4), "read_parquet"], { timeout: PATIENCE, encoding: "utf-8", cwd: process.cwd() });
const direct = child.stdout.trim() || `no answer in ${PATIENCE / 1000} s without the network: the reader of Parquet is an extension that it fetches first`;

const rows = [];
for (const file of files()) {
  connection.insertArrowFromIPCStream(readParquet(readFileSync(file)).intoIPCStream(), { name: "part", create: true });
  for (const record of connection.query("SELECT * FROM part")) rows.push(row(record.toJSON()));
  connection.query("DROP TABLE part");
}
report({ rows, found: { read_parquet: direct } });
process.exit(0);
