// Every call of LlamaParse's TypeScript clients, against a running service. Argument: the folder with the documents.
// LLAMA_CLOUD_BASE_URL and LLAMA_CLOUD_API_KEY say where the service is. Prints a JSON object: the name of each call,
// and what went wrong in it ("" if nothing).
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import LlamaCloud, { toFile } from "@llamaindex/llama-cloud";
import { LlamaParseReader } from "llama-cloud-services/reader";

const folder = process.argv[2];
const [report, long, picture] = ["report.pdf", "long.pdf", "picture.pdf"].map((name) => path.join(folder, name));
const baseUrl = process.env.LLAMA_CLOUD_BASE_URL;
const apiKey = process.env.LLAMA_CLOUD_API_KEY;
const fast = { parse_mode: "parse_page_without_llm" };

const reader = (options) =>
  new LlamaParseReader({ apiKey, baseUrl, verbose: false, ignoreErrors: false, ...fast, ...options });
const client = () => new LlamaCloud({ apiKey, baseURL: baseUrl });

const calls = {
  async first_api_load() {
    const [first, second] = await reader({ resultType: "markdown" }).loadData(report);
    assert.match(first.text, /# The river in its second year/);
    assert.match(second.text, /\| 4 \| 6\.3 \| 112 \| twice \|/);
    const pages = await reader({ resultType: "text" }).loadData(long);
    assert.equal(pages.length, 5);
    const separated = await reader({ pageSeparator: "\n== {page_number} ==\n", resultType: "text" }).loadData(report);
    assert.match(separated[0].text, /\n== 2 ==\n/);
    const content = await reader({}).loadDataAsContent(new Uint8Array(fs.readFileSync(report)), "report.pdf");
    assert.match(content[0].text, /River survey/);
  },

  async first_api_parse() {
    const results = await reader({ takeScreenshot: true }).parse(report);
    assert.deepEqual(results[0].pages.map((page) => page.page), [1, 2]);
    assert.equal(results[0].pages[1].items.find((item) => item.type === "table").rows[2][1], "6.3");
    assert.equal(results[0].job_metadata.job_pages, 2);
    const downloads = fs.mkdtempSync(path.join(os.tmpdir(), "leafmill-images-"));
    try {
      const images = await reader({ takeScreenshot: true }).getImages(results, downloads);
      assert.equal(images.length, 2);
      for (const image of images) assert.equal(fs.readFileSync(image.path).subarray(0, 2).toString("hex"), "ffd8");
    } finally {
      fs.rmSync(downloads, { recursive: true });
    }
  },

  async first_api_images_of_each_kind_of_document() {
    const expected = {
      "freight.docx": ["page_1.jpg", "img_p0_1.jpg"],
      "freight.xlsx": ["page_1.jpg"],
      "freight.pptx": ["page_1.jpg", "img_p0_1.jpg", "page_2.jpg"],
    };
    const downloads = fs.mkdtempSync(path.join(os.tmpdir(), "leafmill-images-"));
    const office = reader({ takeScreenshot: true, disableOcr: true });
    try {
      for (const [name, images] of Object.entries(expected)) {
        const results = await office.parse(path.join(folder, name));
        const found = await office.getImages(results, downloads);
        assert.deepEqual(found.map((image) => image.name), images, name);
        for (const image of found) assert.equal(fs.readFileSync(image.path).subarray(0, 2).toString("hex"), "ffd8");
      }
    } finally {
      fs.rmSync(downloads, { recursive: true });
    }
  },

  async first_api_failures() {
    await assert.rejects(reader({ apiKey: "lm-wrong" }).loadData(report));
    await assert.rejects(reader({}).loadData(path.join(folder, "protected.pdf")), /PDF_IS_PROTECTED|protected|ERROR|encrypted/i);
  },

  async second_api_parse() {
    const expand = ["text", "text_full", "markdown", "markdown_full", "items", "metadata", "job_metadata", "usage"];
    const result = await client().parsing.parse({
      upload_file: fs.createReadStream(report), tier: "fast", version: "latest", expand,
    });
    assert.equal(result.job.status, "COMPLETED");
    assert.match(result.markdown_full, /# The river in its second year/);
    assert.match(result.text.pages[1].text, /Birds counted/);
    const [heading] = result.items.pages[0].items.filter((item) => item.type === "heading");
    assert.equal(heading.value, "The river in its second year");
    assert.ok(heading.bbox[0].w > 200);
  },

  async second_api_files_of_each_kind_of_document() {
    const images = { "report.pdf": 2, "freight.docx": 2, "freight.xlsx": 1, "freight.pptx": 3 };
    const output_options = {
      images_to_save: ["screenshot", "embedded"], save_output_pdf: true, tables_as_spreadsheet: { enable: true },
    };
    const processing_options = { ocr_parameters: { disable_ocr: true } };
    for (const [name, count] of Object.entries(images)) {
      const result = await client().parsing.parse({
        upload_file: fs.createReadStream(path.join(folder, name)), tier: "fast", version: "latest", output_options,
        processing_options, expand: ["images_content_metadata", "xlsx_content_metadata", "output_pdf_content_metadata"],
      });
      const files = result.result_content_metadata;
      const begins = async (url, length) => Buffer.from(await (await fetch(url)).arrayBuffer()).subarray(0, length);
      assert.equal(result.images_content_metadata.total_count, count, name);
      for (const image of result.images_content_metadata.images)
        assert.equal((await begins(image.presigned_url, 2)).toString("hex"), "ffd8");
      assert.equal((await begins(files.output_pdf.presigned_url, 5)).toString(), "%PDF-", name);
      assert.equal((await begins(files.xlsx.presigned_url, 2)).toString(), "PK", name);
    }
  },

  async second_api_files_and_jobs() {
    const cloud = client();
    const file = await cloud.files.create({ file: await toFile(fs.readFileSync(picture), "picture.pdf"), purpose: "parse" });
    assert.equal(file.name, "picture.pdf");
    const content = await cloud.files.content(file.id);
    assert.deepEqual(Buffer.from(await (await fetch(content.url)).arrayBuffer()), fs.readFileSync(picture));
    const job = await cloud.parsing.create({ file_id: file.id, tier: "fast", version: "latest" });
    await cloud.parsing.waitForCompletion(job.id, { pollingInterval: 0.2 });
    const listed = [];
    for await (const each of cloud.parsing.list({ page_size: 1, job_ids: [job.id] })) listed.push(each.id);
    assert.deepEqual(listed, [job.id]);
    assert.equal((await cloud.parsing.delete(job.id)).id, job.id);
    await cloud.files.delete(file.id);
    await assert.rejects(cloud.parsing.get(job.id), { status: 404 });
    const [project] = await cloud.projects.list();
    assert.equal((await cloud.projects.get(project.id)).name, "default");
    const versions = await cloud.parsing.listVersions();
    assert.ok(versions.fast.includes(versions.latest.fast));
  },

  async second_api_refusals() {
    // The service refuses while the client still sends.
    const cloud = new LlamaCloud({ apiKey, baseURL: baseUrl, maxRetries: 0 });
    const project_id = "00000000-0000-4000-8000-000000000000";
    const sizes = [2_000, 4_000, 7_000, 60_000, 400_000, 3 * 2 ** 20, 20 * 2 ** 20].flatMap((size) => [size, size, size, size]);
    const statuses = await Promise.all(
      sizes.map(async (size) => {
        const upload_file = await toFile(Buffer.alloc(size, "x"), "a.pdf");
        const error = await cloud.parsing.create({ upload_file, project_id, tier: "fast", version: "latest" }).catch((each) => each);
        return error.status ?? String(error);
      }),
    );
    assert.deepEqual(new Set(statuses), new Set([404]));
  },

  async second_api_failures() {
    const cloud = client();
    await assert.rejects(new LlamaCloud({ apiKey: "lm-wrong", baseURL: baseUrl }).parsing.list(), { status: 401 });
    await assert.rejects(cloud.parsing.create({ file_id: "dfl-1", tier: "best", version: "latest" }), { status: 422 });
    const broken = fs.createReadStream(path.join(folder, "broken.pdf"));
    const failing = await cloud.parsing.create({ upload_file: broken, tier: "fast", version: "latest" });
    await assert.rejects(cloud.parsing.waitForCompletion(failing.id, { pollingInterval: 0.2 }), /PDF_IS_BROKEN/);
    await assert.rejects(cloud.parsing.cancel(failing.id), { status: 400 });
  },
};

const outcomes = await Promise.all(
  Object.entries(calls).map(async ([name, call]) => {
    try {
      await call();
      return [name, ""];
    } catch (error) {
      return [name, error.stack ?? String(error)];
    }
  }),
);
console.log(JSON.stringify(Object.fromEntries(outcomes)));
process.exit(0);
