"""Web pages, and what is turned into them: Markdown, AsciiDoc, Org, bodies of e-mails, chapters of books."""
