// Builds the assets that the binary embeds. Run it by `npm ci && npm run build` whenever something in source/, this
// file or a version in package.json changes; a Go test says when it was forgotten. With --check nothing is written: it
// fails where the assets are not what comes out.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gunzipSync, gzipSync } from "node:zlib";

const assets = "assets";

// GraphiQL's style sheet brings two fonts for Latin letters in base64, eight times the size of the rest. The system has
// fonts, also for Chinese.
const withoutFonts = {
  name: "without-fonts",
  setup(b) {
    b.onLoad({ filter: /graphiql\/dist\/style\.css$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(/@font-face\s*\{[^}]*\}/g, ""),
      loader: "css",
    }));
  },
};

const built = await build({
  entryPoints: { app: "source/app.jsx" },
  outdir: assets,
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  format: "iife",
  target: "es2020",
  jsx: "automatic",
  legalComments: "none", // every licence stands whole in LICENSES.txt
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".png": "dataurl" },
  plugins: [withoutFonts],
});

// packages lists the folders under node_modules that something was taken from.
function packages(inputs) {
  const found = new Set();
  for (const file of Object.keys(inputs)) {
    const at = file.lastIndexOf("node_modules/");
    if (at < 0) continue;
    const parts = file.slice(at + "node_modules/".length).split("/");
    found.add(join(file.slice(0, at), "node_modules", parts[0].startsWith("@") ? `${parts[0]}/${parts[1]}` : parts[0]));
  }
  return [...found].sort();
}

function licences(folders) {
  return folders.map((folder) => {
    const p = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const name = readdirSync(folder).find((f) => /^(licen[cs]e|copying)/i.test(f));
    const text = name ? readFileSync(join(folder, name), "utf8").trim() : "";
    if (!p.license) throw new Error(`${p.name}: no licence`);
    return `${p.name} ${p.version} (${p.license})\n\n${text || "Its package names this licence and brings no text of it."}\n`;
  });
}

const rule = "\n" + "-".repeat(80) + "\n\n";
const out = {
  "index.html": readFileSync("source/index.html"),
  "LICENSES.txt": Buffer.from("What the explorer is built of.\n" + rule + licences(packages(built.metafile.inputs)).join(rule)),
};
for (const f of built.outputFiles) out[f.path.split("/").pop()] = Buffer.from(f.contents);

if (process.argv.includes("--check")) {
  const differ = Object.keys(out).filter((name) => !gunzipSync(readFileSync(join(assets, name + ".gz"))).equals(out[name]));
  console.log(differ.length ? `not what source makes: ${differ.join(", ")}` : "the assets are what source makes");
  process.exit(differ.length ? 1 : 0);
}

rmSync(assets, { recursive: true, force: true });
mkdirSync(assets);
const sum = (b) => createHash("sha256").update(b).digest("hex");
const inputs = ["build.mjs", "package.json", "package-lock.json", ...readdirSync("source").sort().map((f) => `source/${f}`)].filter(existsSync);
let record = inputs.map((f) => `${sum(readFileSync(f))}  ${f}\n`).join("");
for (const [name, b] of Object.entries(out)) {
  const packed = gzipSync(b, { level: constants.Z_BEST_COMPRESSION });
  packed[9] = 255; // the operating system that packed it is of no interest
  writeFileSync(join(assets, name + ".gz"), packed);
  record += `${sum(packed)}  ${assets}/${name}.gz\n`;
  console.log(`${name}: ${b.length} bytes, ${packed.length} packed`);
}
writeFileSync(join(assets, "SHA256SUMS"), record); // also read by `sha256sum -c`
