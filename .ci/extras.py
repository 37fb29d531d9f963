"""Installs each extra of an installed kgrec's wheel, and imports every package that it brings.

Usage: python .ci/extras.py dist/kgrec-0.1.0-py3-none-any.whl
"""

import importlib
import importlib.metadata
import re
import subprocess
import sys

#: these join others
_JOINED = {"dev", "test"}


def packages(extra: str) -> set[str]:
    """Distributions that an extra names, as the installed kgrec says."""
    wanted = re.compile(rf"extra == ['\"]{re.escape(extra)}['\"]")
    required = importlib.metadata.requires("kgrec") or []
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in required if wanted.search(line)}


def modules(distribution: str) -> set[str]:
    """Names under which a distribution is imported."""
    of_module = importlib.metadata.packages_distributions()
    name = re.sub(r"[-_.]+", "-", distribution).lower()
    found = {
        module
        for module, owners in of_module.items()
        if name in {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
    }
    return {module for module in found if module.isidentifier() and not module.startswith("_")}


def main(wheel: str) -> None:
    """Imports the public names, then installs and imports one extra after the other."""
    import kgrec

    print("base:", len([getattr(kgrec, name) for name in kgrec.__all__]), "public names")
    extras = importlib.metadata.metadata("kgrec").get_all("Provides-Extra") or []
    for extra in sorted(set(extras) - _JOINED):
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", f"{wheel}[{extra}]"], check=True)
        script = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
        names = {distribution: modules(distribution) for distribution in packages(extra)}
        # on another system an extra may need less
        there = sorted(set().union(*names.values()))
        subprocess.run([sys.executable, "-c", script, *there], check=True)
        print(f"{extra}:", ", ".join(there))


if __name__ == "__main__":
    main(sys.argv[1])
