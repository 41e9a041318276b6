"""Invoices of our own making, in the forms of several countries, each with the values that it contains."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from examples.make_examples import document, ruled_table, text

VENDORS = ("Mill & Weir Ltd", "Bakkerij De Molen", "Papier Schmidt GmbH", "Ferme des Saules", "Harbour Rope Co.")
ITEMS = ("Rye flour", "Oak gear", "Rag paper", "Mill stone", "Hemp rope", "Brass scale", "Linen sack")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "invoice_number": {"type": "string", "pattern": "^INV-[0-9]+$"},
        "invoice_date": {"type": "string", "format": "date"},
        "vendor": {"type": "string"},
        "grand_total": {"type": "number", "minimum": 0},
        "paid_by": {"type": ["string", "null"]},
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "article": {"type": "string"},
                    "quantity": {"type": "integer"},
                    "amount": {"type": "number"},
                },
                "required": ["article", "quantity", "amount"],
            },
        },
    },
    "required": ["invoice_number", "invoice_date", "vendor", "grand_total", "items"],
}


@dataclass(frozen=True)
class Invoice:
    content: bytes
    values: dict[str, Any]
    total_page: int


def invoice(number: int) -> Invoice:
    """Return an invoice. Every third one has its total on a second page."""
    chance = random.Random(number)
    day = date(2026, 1, 7) + timedelta(days=31 * number)
    lines: list[dict[str, Any]] = [
        {"article": article, "quantity": chance.randint(2, 40), "amount": chance.randint(1_000, 99_999) / 100}
        for article in chance.sample(ITEMS, 3)
    ]
    values: dict[str, Any] = {
        "invoice_number": f"INV-{7000 + number}",
        "invoice_date": day.isoformat(),
        "vendor": VENDORS[number % len(VENDORS)],
        "grand_total": round(1_000 + sum(line["amount"] for line in lines), 2),
        "paid_by": None,
        "items": lines,
    }
    forms = (day.isoformat(), f"{day.day} {day:%B %Y}", f"{day:%d.%m.%Y}", f"{day:%B} {day.day}, {day.year}")
    rows = [[line["article"], str(line["quantity"]), _amount(line["amount"], number)] for line in lines]
    first = [
        text(60, 780, "INVOICE", size=18, font="F2"),
        text(60, 740, f"Vendor: {values['vendor']}"),
        text(60, 722, f"Invoice number: {values['invoice_number']}"),
        text(60, 704, f"Invoice date: {forms[number % len(forms)]}"),
        *ruled_table(60, 670, [200, 90, 120], [["Article", "Quantity", "Amount"], *rows]),
    ]
    total = text(60, 520, f"Grand total: {_amount(values['grand_total'], number)} EUR")
    if number % 3:
        return Invoice(document([[*first, total]]), values, 1)
    return Invoice(document([first, [text(60, 780, "Summary", size=14, font="F2"), total]]), values, 2)


def _amount(amount: float, number: int) -> str:
    english = f"{amount:,.2f}"
    return english if number % 2 else english.translate(str.maketrans(",.", ".,"))
