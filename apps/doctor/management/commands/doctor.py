"""manage.py doctor: check every part that the service needs."""

from __future__ import annotations

from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandParser

from apps.doctor.examination import examine, is_healthy, summary
from apps.doctor.finding import State


class Command(BaseCommand):
    help = "Check every part of the service; print what is wrong and how to repair it. Exit code 1 if a part failed."
    requires_system_checks = []  # noqa: RUF012 (Django's own shape)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--providers", action="store_true", help="also send a small request to every deployment")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        findings = examine(call_providers=options["providers"])
        if options["json"]:
            report = {"ok": is_healthy(findings), "findings": findings}
            self.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        else:
            width = max(len(finding.name) for finding in findings)
            for finding in findings:
                state = finding.state.upper() if finding.state is State.FAILED else finding.state
                self.stdout.write(f"{state:<11}  {finding.name:<{width}}  {finding.sentence}")
                if finding.mend:
                    self.stdout.write(f"{'':<11}  {'':<{width}}  -> {finding.mend}")
            self.stdout.write(f"\n{summary(findings)}")
        if not is_healthy(findings):
            raise SystemExit(1)
