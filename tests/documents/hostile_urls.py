"""URLs that must not be fetched, by their row in the table of hostile inputs (docs/reliability.md)."""

from __future__ import annotations

SCHEMES = ("file:///etc/passwd", "gopher://8.8.8.8/", "ftp://8.8.8.8/a.pdf", "data:text/plain,x", "HTTP://127.0.0.1/")
LOOPBACK = ("127.0.0.1", "localhost", "localhost.", "0", "0.0.0.0", "127.1", "0x7f000001", "2130706433", "0177.0.0.1",
            "①②⑦.0.0.1")  # fmt: skip
IPV6 = ("[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[::a9fe:a9fe]", "[fec0::1]",
        "[fe80::1%25lo]")  # fmt: skip
METADATA = ("169.254.169.254", "192.0.0.192", "100.100.100.200", "168.63.129.16", "[fd00:ec2::254]")
PRIVATE = ("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "240.0.0.1", "224.0.0.1",
           "255.255.255.255", "8.8.8.8:22", "8.8.8.8:25", "8.8.8.8:5432", "8.8.8.8:6379")  # fmt: skip
SPELLINGS = ("user:pw@8.8.8.8/", "127.0.0.1#@example.org/", "a\\@8.8.8.8/", "8.8.8.8/\r\nX-Evil: 1", "éxample.org/",
             "8.8.8.8/" + "x" * 65_536)  # fmt: skip

ROWS: dict[int, tuple[str, ...]] = {
    103: SCHEMES,
    104: tuple(f"https://{host}/a.pdf" for host in LOOPBACK),
    105: tuple(f"https://{host}/a.pdf" for host in IPV6),
    106: tuple(f"https://{host}/latest/meta-data/" for host in METADATA),
    107: tuple(f"https://{host}/" for host in PRIVATE),
    108: tuple(f"https://{rest}" for rest in SPELLINGS),
}
ALL = tuple(url for urls in ROWS.values() for url in urls)
