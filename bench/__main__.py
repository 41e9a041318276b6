"""Run the benchmarks, each in its own process: ``python -m bench [NAME...]``.

Each prints a table and writes its figures to bench/results.
"""

import subprocess
import sys

BENCHMARKS = [
    *("pages", "isolation", "service", "quality", "fidelity", "statusz", "edge", "foreign_ids", "memory", "sizing"),
    *("office", "office_speed", "chunks", "barcodes", "conversion", "signatures"),
]


def main(names: list[str]) -> int:
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"Unknown benchmarks: {', '.join(sorted(unknown))}. Choose from: {', '.join(BENCHMARKS)}.")
        return 2
    codes = []
    for name in names or BENCHMARKS:
        print(f"=== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
