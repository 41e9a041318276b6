// Send documents that the service refuses, all at once, and print how many responses of each status arrived.
const [base, sizes] = [process.argv[2], JSON.parse(process.argv[3])];
const targets = [
  ["POST", "/api/v2/parse/upload"],
  ["POST", "/api/v9/nothing"],
  ["PUT", "/api/v2/parse"],
];

async function send([method, path], size) {
  const form = new FormData();
  form.append("configuration", '{"tier": "fast"}');
  form.append("file", new Blob([Buffer.alloc(size, "x")]), "a.pdf");
  try {
    const response = await fetch(base + path, { method, body: form, headers: { Authorization: "Bearer wrong" } });
    await response.json();
    return response.status;
  } catch (error) {
    return String(error.cause ?? error);
  }
}

const counts = {};
for (const target of targets) {
  for (const seen of await Promise.all(sizes.map((size) => send(target, size)))) {
    counts[seen] = (counts[seen] ?? 0) + 1;
  }
}
console.log(JSON.stringify(counts));
