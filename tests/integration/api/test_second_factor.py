"""The second factor of logins to the admin: enrolment, codes, recovery codes, what is refused without them."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

import lxml.html
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.accounts.models import AuditEntry, Project

PAGE = "/admin/second-factor/"


class Person(Client):
    """A browser of the user "operator", whose app has ``key``."""

    key = b""
    first_code = ""

    def log_in(self) -> Any:
        """Begin a new session with the password."""
        self.cookies.clear()
        return self.post("/admin/login/?next=/admin/", {"username": "operator", "password": "right-67"})

    def code(self, *, steps: int = 0) -> str:
        """Return the app's code, as it will be some steps of 30 seconds later."""
        return f"{totp(self.key, t0=-30 * steps):06d}"

    def enrol(self) -> list[str]:
        """Enrol by the key on the page, and return the recovery codes."""
        page = self.get(PAGE)
        assert page.status_code == 200
        shown = re.search(r"key: <code>([A-Z2-7 ]+)</code>", page.content.decode())
        assert shown
        self.key = base64.b32decode(shown[1].replace(" ", ""))
        self.first_code = self.code()
        response = self.post(PAGE, {"code": self.first_code})
        assert b"shown only" in response.content
        return re.findall(r"<code>([a-z2-7]{8})</code>", response.content.decode())


@pytest.fixture
def person(transactional_db: None) -> Person:
    User.objects.create_superuser("operator", password="right-67")
    return Person()


def test_after_enrolment_every_login_needs_a_code(person: Person) -> None:
    person.log_in()
    assert person.get("/admin/").status_code == 200
    codes = person.enrol()
    assert len(codes) == 10
    assert person.get("/admin/").status_code == 200

    other = Person()
    other.key = person.key
    other.log_in()
    asked = other.get("/admin/accounts/project/?q=a")
    assert asked.status_code == 302
    assert asked["Location"] == f"{PAGE}?next=/admin/accounts/project/%3Fq%3Da"
    form = {"name": "made without a code", "quota-TOTAL_FORMS": 0, "quota-INITIAL_FORMS": 0}
    assert other.post("/admin/accounts/project/add/", form)["Location"].startswith(PAGE)
    assert not Project.objects.filter(name="made without a code").exists()
    accepted = other.post(asked["Location"], {"code": other.code(steps=1)})
    assert accepted["Location"] == "/admin/accounts/project/?q=a"
    assert other.get("/admin/accounts/project/").status_code == 200

    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["login ok", "second factor enrolled", "login ok", "second factor ok"]


def test_a_code_and_a_recovery_code_are_accepted_once(person: Person) -> None:
    person.log_in()
    codes = person.enrol()
    person.log_in()
    used = person.post(PAGE, {"code": person.first_code})
    assert used.status_code == 200
    assert b"The code is wrong, or was used before" in used.content

    assert person.post(f"{PAGE}?next=//example.com/", {"code": codes[0].upper()})["Location"] == "/admin/"
    assert b"9 recovery codes left" in person.get(PAGE).content
    person.log_in()
    assert person.post(PAGE, {"code": codes[0]}).status_code == 200
    assert person.get("/admin/")["Location"].startswith(PAGE)


def test_wrong_codes_are_slowed_and_recorded(person: Person, settings: Any) -> None:
    person.log_in()
    person.enrol()
    person.log_in()
    settings.OTP_TOTP_THROTTLE_FACTOR = 60  # seconds after one wrong code, for a slow machine
    responses = [person.post(PAGE, {"code": "000000"}) for _ in range(2)]
    right = person.post(PAGE, {"code": person.code(steps=1)})

    assert [response.status_code for response in responses] == [200, 429]
    assert right.status_code == 429
    assert int(right["Retry-After"]) >= 1
    settings.OTP_TOTP_THROTTLE_FACTOR = 0.001
    assert person.post(PAGE, {"code": person.code(steps=1)}).status_code == 302
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions[-4:] == ["second factor failed", *["second factor refused"] * 2, "second factor ok"]
    assert "000000" not in str(list(AuditEntry.objects.values()))


def test_when_it_is_required_only_enrolment_is_open(person: Person, settings: Any) -> None:
    settings.ADMIN_SECOND_FACTOR = "required"
    person.log_in()
    for address in ("/admin/", "/admin/operations/", "/admin/password_change/", "/admin/jsi18n/"):
        assert person.get(address)["Location"].startswith(PAGE), address
    person.enrol()
    assert person.get("/admin/").status_code == 200

    person.post(PAGE, {"action": "remove"})
    assert person.get("/admin/")["Location"].startswith(PAGE)


def test_when_it_is_off_nobody_is_asked(person: Person, settings: Any) -> None:
    person.log_in()
    person.enrol()
    settings.ADMIN_SECOND_FACTOR = "off"
    other = Person()
    other.log_in()
    assert other.get("/admin/").status_code == 200
    assert b"switched off" in other.get(PAGE).content


def test_new_recovery_codes_replace_the_old_ones(person: Person) -> None:
    person.log_in()
    old = person.enrol()
    new = re.findall(r"<code>([a-z2-7]{8})</code>", person.post(PAGE, {"action": "codes"}).content.decode())
    assert len(new) == 10
    person.log_in()
    assert person.post(PAGE, {"code": old[0]}).status_code == 200
    time.sleep(1.1)
    assert person.post(PAGE, {"code": new[0]}).status_code == 302


def test_a_lost_second_factor_is_reset_on_the_command_line(person: Person) -> None:
    person.log_in()
    person.enrol()
    call_command("reset_second_factor", "operator")
    person.log_in()
    assert person.get("/admin/").status_code == 200
    assert AuditEntry.objects.filter(action="reset second factor", target="operator").exists()
    with pytest.raises(CommandError, match="operator has no second factor"):
        call_command("reset_second_factor", "operator")
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        call_command("reset_second_factor", "nobody")


def test_pages_keep_to_their_policy_and_strangers_see_nothing(person: Person) -> None:
    assert person.get(PAGE)["Location"] == f"/admin/login/?next={PAGE}"
    User.objects.create_user("guest", password="right-67")
    person.force_login(User.objects.get(username="guest"))
    assert person.get(PAGE)["Location"].startswith("/admin/login/")
    person.log_in()
    response = person.get(PAGE)
    page = lxml.html.fromstring(response.content)
    assert page.xpath("//*[local-name()='svg']")
    assert page.xpath("//script[not(@src)] | //style | //*[@style]") == []
    assert response["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert "no-store" in response["Cache-Control"]
    person.enrol()
    key = TOTPDevice.objects.get().key
    for address in ("/admin/otp_totp/totpdevice/", "/admin/otp_static/staticdevice/"):
        assert person.get(address).status_code == 404
    assert key not in person.get("/admin/auth/user/").content.decode()
