"""The sentence for each warning code. A warning never fails a page or a job."""

from __future__ import annotations

_SENTENCES = {
    "pages_out_of_range": "Some of the requested pages do not exist; the others are given.",
    "document_repaired": "The file was damaged and has been repaired; check that nothing is missing.",
    "document_converted": (
        "The document was converted to a current format by LibreOffice, and that was read. Compare what is important "
        "with the document: its layout and fields may differ."
    ),
    "not_printed": (
        "The document was not printed to PDF, so it has no output PDF and no screenshots. Parse it again where "
        "LibreOffice and a worker of the queue convert run, or save it as a PDF and send that."
    ),
    "screenshots_left_out": (
        "The pages of this document have no screenshots. Only PDFs, pictures and office documents have them. Save it "
        "as a PDF and send that."
    ),
    "screenshots_of_print": (
        "The screenshots show the pages that LibreOffice prints. They begin and end elsewhere than the pages of the "
        "result; job_metadata.printed_pages says how many they are."
    ),
    "text_truncated": "A page has more text than is kept; the rest of it was cut off.",
    "text_cleaned": "Invalid characters were removed or replaced.",
    "encoding_guessed": "The encoding of the text is not stated and was guessed; check letters with accents.",
    "pictures_not_read": "Pictures in the document are given as pictures; text in them was not read.",
    "barcodes_not_read": (
        "Bar codes could not be looked for on a page: OCR failed, or zxing-cpp is not installed where OCR runs "
        "(ocr_worker/requirements.txt). Install it if it is missing, and parse the document again."
    ),
    "images_capped": (
        "A page has more pictures than are extracted (MAX_EXTRACTED_IMAGES_PER_PAGES). The largest ones are extracted; "
        "the metadata has the number of the others (pictures_left_out)."
    ),
    "picture_format_not_read": (
        "Pictures in formats that are not drawn, such as EMF, WMF and SVG, have no image; the text of EMF and WMF is "
        "read. Save them in the document as PNG or JPEG."
    ),
    "picture_missing": (
        "Pictures have no image, because their files are not in the document or are empty. Insert them again."
    ),
    "picture_damaged": "Pictures have no image, because their files are damaged. Insert them again.",
    "picture_too_large": (
        "Pictures have no image, because their files have too many pixels or bytes. Scale them down in the document."
    ),
    "linked_pictures_left_out": (
        "The picture shows files from outside of it, which are never opened. Embed them and send it again."
    ),
    "comments_left_out": (
        "Comments on the text were left out. Ask for them (output_options.markdown.annotate_revisions; on the command "
        "line --option annotate_revisions)."
    ),
    "hidden_sheets_left_out": (
        "Hidden sheets of the workbook were left out. Ask for them (input_options.spreadsheet.include_hidden_sheets; "
        "on the command line --option include_hidden_sheets)."
    ),
    "hidden_slides_left_out": (
        "Hidden slides of the presentation were left out. Ask for them (input_options.presentation."
        "include_hidden_slides; on the command line --option include_hidden_slides)."
    ),
    "formula_not_computed": (
        "Formulas without a stored value are given as they are written. Ask for their values (input_options."
        "spreadsheet.force_formula_computation_in_sheets; on the command line --option "
        "force_formula_computation_in_sheets), or save the file in a spreadsheet program and send the copy."
    ),
    "quotes_not_closed": (
        "A quotation mark in a table of plain text is never closed, so quotation marks were read as characters."
    ),
    "drawings_not_read": (
        "Charts, pictures and text boxes of an old or damaged xls workbook were not read. Save it as xlsx."
    ),
    "chapters_not_read": (
        "Chapters of the book are missing from its file, or are of a kind that is not read; the others are given."
    ),
    "fields_not_read": (
        "The item is no e-mail but an appointment, a contact or a task: its text was read, its other fields were not."
    ),
    "embedded_files_not_read": (
        "Files inside the document, such as workbooks, PDFs or sounds, were not read. A batch parses them as documents "
        "of their own (source_file_id)."
    ),
    "outside_content_left_out": (
        "What is outside of the visible part of slides was left out. Ask for it (input_options.presentation."
        "out_of_bounds_content)."
    ),
    "text_unreliable": "The text layer maps its glyphs badly; the text may be wrong.",
    "parts_recognized": "Parts of a page have a text layer in wrong letters; their text is read by OCR.",
    "lost_characters": "Visible characters of a page are missing from its blocks; the metadata has their number.",
    "plain_layout": "A page is given line by line, because its usual layout would have lost text.",
    "read_without_forms": "The file stopped the reader, so it was read without its forms; field values may be missing.",
    "hidden_text": "A page has hidden text. It was removed; the metadata lists it.",
    "hidden_text_unchecked": "A page could not be rendered, so its text may include hidden text.",
    "fonts_missing": (
        "A page uses Chinese, Japanese or Korean fonts that neither the file nor this machine has: pictures of the "
        "page lack that text, and some of it may be missing. Install such fonts where pages are read (Debian, Ubuntu: "
        "fonts-noto-cjk)."
    ),
    "needs_ocr": "Pages have no usable text layer, and OCR is switched off or failed, so they were not read.",
    "text_layer_only": (
        "A page needed OCR, which failed, so its text layer alone is given: text in pictures is missing, or wrong "
        "letters remain. Parse the document again, or name its languages and install their packs."
    ),
    "earlier_text_kept": (
        "The work on a page ended early, because the job's deadline passed or a worker was lost. The page has the text "
        "that was read before. Parse the page again (retry)."
    ),
    "fallback_used": "No model could parse these pages; they keep their fallback text, extracted without a model.",
    "answer_differs": (
        "A model's answer differs from what was read on its page; the metadata says how (parsing.fidelity)."
    ),
    "numbers_agreed": (
        "Two readings of a page disagreed on numbers, and a third one decided; the metadata has the places and the "
        "values (parsing.disputed_numbers)."
    ),
    "numbers_disputed": (
        "Readings of a page disagree on numbers, so they may be wrong: look at the page; the metadata has the places "
        "and the values (parsing.disputed_numbers)."
    ),
    "batch_unanswered": (
        "The provider's batch did not answer these pages, so they were asked for one by one, at a higher price."
    ),
    "values_not_found": (
        "Some extracted values are printed nowhere in the document as they are; their citation is null. Check them."
    ),
    "pages_not_annotated": "The model's answers for some pages could not be used; the other pages are given.",
    "script_not_read": (
        "A scan or a picture has text in a script that could not be recognised or that no OCR engine here reads; the "
        "text is missing or wrong. Name its language and install its pack."
    ),
    "s3_not_written": (
        "The result could not be written to S3, or not all of its files. Fetch it from the job, or parse the document "
        "again when S3 can be reached."
    ),
    "searchable_pdf_of_pictures": (
        "The document could not be copied, so the searchable PDF has pictures of its pages. Save the document again "
        "and parse the copy."
    ),
    "text_without_grid": (
        "The text of a page is in reading order instead of a grid, because its document does not say where it is."
    ),
    "images_not_inlined": (
        "Markdown does not contain some of the pictures of a page: they have no place, could not be rendered, or the "
        "document has more than 200. Fetch them one by one (images_content_metadata)."
    ),
    "ocr_low_confidence": "OCR is not confident about the text; check it, or try high_res_ocr.",
}


def describe(code: str) -> str:
    """Return the sentence for a code, or the code itself when it is unknown."""
    return _SENTENCES.get(code, code)
