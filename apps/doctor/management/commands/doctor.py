"""manage.py doctor: is everything there that the service needs?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandParser

from apps.doctor.examination import examine, is_well, summary
from apps.doctor.finding import Finding, State


class Command(BaseCommand):
    help = "Look at every part of the service and say what is wrong and what mends it. Exit code 1 when a part failed."
    requires_system_checks = []  # noqa: RUF012 (Django's own shape)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.add_argument("--providers", action="store_true", help="ask every deployment a small question, too")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        findings = examine(ask_providers=options["providers"])
        if options["json"]:
            told = {"ok": is_well(findings), "findings": findings}
            self.stdout.write(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
        else:
            self.stdout.write(_table(findings))
        if not is_well(findings):
            raise SystemExit(1)


def _table(findings: Sequence[Finding]) -> str:
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        state = finding.state.upper() if finding.state is State.FAILED else finding.state
        lines.append(f"{state:<11}  {finding.name:<{width}}  {finding.sentence}")
        if finding.mend:
            lines.append(f"{'':<11}  {'':<{width}}  -> {finding.mend}")
    return "\n".join([*lines, "", summary(findings)])
