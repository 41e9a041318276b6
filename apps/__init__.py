"""The parts of Leafmill; docs/architecture.md has the rules of imports between them."""

VERSION = "0.2.0"
