"""Around the calls of a page to models: threads, cached answers, waits for money, batches."""
