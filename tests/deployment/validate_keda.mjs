// Read KEDA objects as a JSON list from stdin and print one line per error.
// The models check values but accept unknown names, so names are compared with the type declarations.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as keda from "@kubernetes-models/keda/keda.sh/v1alpha1";

const here = dirname(fileURLToPath(import.meta.url));
const declarations = join(here, "node_modules/@kubernetes-models/keda/keda.sh/v1alpha1");

function knownNames(kind) {
  const declaration = readFileSync(join(declarations, `${kind}Spec.d.ts`), "utf8");
  return new Set([...declaration.matchAll(/^\s*"(\w+)"\??:/gm)].map((found) => found[1]));
}

for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  const name = `${object.kind} ${object.metadata.name}`;
  try {
    new keda[object.kind](object).validate();
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
  const known = knownNames(object.kind);
  for (const key of Object.keys(object.spec)) {
    if (!known.has(key)) console.log(`${name}: spec.${key} is not known`);
  }
}
