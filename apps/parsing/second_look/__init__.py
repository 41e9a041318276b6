"""Ask models again for the parts of a page that are wrong or disputed, as enlarged pictures."""
