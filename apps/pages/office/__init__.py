"""Documents with a structure of their own: office files, web pages, mail, plain text. They become the same blocks."""
