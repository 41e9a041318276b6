"""Commands that people, requests and housekeeping give: submit, cancel, retry, estimate, delete, clean up."""
