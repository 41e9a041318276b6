"""The settings of a fresh profile of LibreOffice: no macros, no links, no updates."""

from __future__ import annotations

from pathlib import Path

_OFFICE = "/org.openoffice.Office."
_SETTINGS = (
    (f"{_OFFICE}Common/Security/Scripting", "DisableMacrosExecution", "true"),
    (f"{_OFFICE}Common/Security/Scripting", "MacroSecurityLevel", "3"),
    (f"{_OFFICE}Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    (f"{_OFFICE}Common/Misc", "UseLocking", "false"),
    (f"{_OFFICE}Common/Save/Document", "AutoSave", "false"),
    (f"{_OFFICE}Writer/Content/Update", "Link", "0"),  # never
    (f"{_OFFICE}Calc/Content/Update", "Link", "1"),  # never
    (f"{_OFFICE}Calc/Formula/Load", "OOXMLRecalcMode", "1"),  # never: values are those that the file has
    (f"{_OFFICE}Calc/Formula/Load", "ODFRecalcMode", "1"),
    (f"{_OFFICE}Java/VirtualMachine", "Enable", "false"),
)
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
)


def write_profile(folder: Path) -> None:
    """Write the settings into the new folder of a profile."""
    (folder / "user").mkdir(parents=True)
    items = (
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>\n'
        for path, name, value in _SETTINGS
    )
    (folder / "user" / "registrymodifications.xcu").write_text(_HEAD + "".join(items) + "</oor:items>\n")
