"""Electronic invoices in XML."""
